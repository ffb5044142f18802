package guard

// State is a state of the finite state machine of RFC 4271 §8.2.2. There is one machine for each TCP connection of a peer (§8.2.1).
type State uint8

const (
	Idle State = iota
	Connect
	Active
	OpenSent
	OpenConfirm
	Established
	states
)

// Event is an event of the machine. The numbers are those of RFC 4271 §8.1 and, from 29 on, RFC 9687 and RFC 2918.
type Event uint8

const (
	Start                Event = iota // 1, 3: dial
	StartPassive                      // 4, 5: wait to be dialled
	Stop                              // 2, 8: the session is to end; there is a NOTIFICATION to send
	ConnectRetryExpires               // 9
	HoldExpires                       // 10
	KeepaliveExpires                  // 11
	IdleHoldExpires                   // 13: the back-off is over
	TCPUp                             // 16, 17
	TCPFails                          // 18
	OpenReceived                      // 19: and it is what was expected
	HeaderBad                         // 21
	OpenBad                           // 22
	CollisionLost                     // 23: the other connection stays
	NotificationReceived              // 24, 25
	KeepaliveReceived                 // 26
	UpdateReceived                    // 27
	UpdateBad                         // 28: so bad that RFC 7606 wants a reset
	SendHoldExpires                   // 29: the peer does not read (RFC 9687)
	RefreshReceived                   // ROUTE-REFRESH (RFC 2918)
	events
)

// Action is something that the machine's owner does. The actions of an arrow are done in order.
type Action uint8

const (
	Dial           Action = iota // begin a TCP connection
	Drop                         // close the TCP connection, or stop dialling; all timers of it stop
	SendOpen                     // OPEN
	SendKeepalive                // KEEPALIVE
	SendNotice                   // the NOTIFICATION that came with the event
	SendStateError               // NOTIFICATION 5, with the state's subcode (RFC 6608)
	StartRetry                   // the ConnectRetryTimer
	StopRetry                    //
	StartIdleHold                // the time in Idle before the next attempt: none after a session, then 1 s, doubled each time
	StartOpenHold                // the hold timer while no hold time is agreed: 4 minutes
	StartHold                    // the hold and keepalive timers with the agreed times
	RestartHold                  // the peer lives
	StartKeepalive               // the keepalive timer
	SessionUp                    // routes may be exchanged
	SessionDown                  // what the peer said is void
	Deliver                      // hand the message to the exchange of routes
)

// arrow is one transition. The zero value is no arrow: the event means nothing in that state.
type arrow struct {
	next    State
	known   bool
	actions []Action
}

func to(next State, actions ...Action) arrow { return arrow{next: next, known: true, actions: actions} }

// machineTable is RFC 4271 §8.2.2 without its optional DelayOpen. Two things are settled as most implementations do: a failed attempt to connect waits in
// Active, and the back-off of a lost session is the IdleHoldTimer of §8.1.1.
var machineTable = [states][events]arrow{
	Idle: {
		Start:           to(Connect, StartRetry, Dial),
		StartPassive:    to(Active),
		IdleHoldExpires: to(Connect, StartRetry, Dial),
	},
	Connect: {
		Stop:                to(Idle, Drop),
		ConnectRetryExpires: to(Connect, Drop, StartRetry, Dial),
		TCPUp:               to(OpenSent, StopRetry, SendOpen, StartOpenHold),
		TCPFails:            to(Active, Drop, StartRetry),
	},
	Active: {
		Stop:                to(Idle, Drop),
		ConnectRetryExpires: to(Connect, StartRetry, Dial),
		TCPUp:               to(OpenSent, StopRetry, SendOpen, StartOpenHold),
		TCPFails:            to(Idle, Drop, StartIdleHold),
	},
	OpenSent: {
		Stop:                 to(Idle, SendNotice, Drop),
		HoldExpires:          to(Idle, SendNotice, Drop, StartIdleHold),
		TCPFails:             to(Active, Drop, StartRetry),
		OpenReceived:         to(OpenConfirm, SendKeepalive, StartHold),
		HeaderBad:            to(Idle, SendNotice, Drop, StartIdleHold),
		OpenBad:              to(Idle, SendNotice, Drop, StartIdleHold),
		CollisionLost:        to(Idle, SendNotice, Drop),
		NotificationReceived: to(Idle, Drop, StartIdleHold),
		KeepaliveReceived:    to(Idle, SendStateError, Drop, StartIdleHold),
		UpdateReceived:       to(Idle, SendStateError, Drop, StartIdleHold),
		SendHoldExpires:      to(Idle, SendNotice, Drop, StartIdleHold),
		RefreshReceived:      to(Idle, SendStateError, Drop, StartIdleHold),
	},
	OpenConfirm: {
		Stop:                 to(Idle, SendNotice, Drop),
		HoldExpires:          to(Idle, SendNotice, Drop, StartIdleHold),
		KeepaliveExpires:     to(OpenConfirm, SendKeepalive, StartKeepalive),
		TCPFails:             to(Idle, Drop, StartIdleHold),
		OpenReceived:         to(Idle, SendStateError, Drop, StartIdleHold),
		HeaderBad:            to(Idle, SendNotice, Drop, StartIdleHold),
		OpenBad:              to(Idle, SendNotice, Drop, StartIdleHold),
		CollisionLost:        to(Idle, SendNotice, Drop),
		NotificationReceived: to(Idle, Drop, StartIdleHold),
		KeepaliveReceived:    to(Established, RestartHold, SessionUp),
		UpdateReceived:       to(Idle, SendStateError, Drop, StartIdleHold),
		SendHoldExpires:      to(Idle, SendNotice, Drop, StartIdleHold),
		RefreshReceived:      to(Idle, SendStateError, Drop, StartIdleHold),
	},
	Established: {
		Stop:                 to(Idle, SendNotice, Drop, SessionDown),
		HoldExpires:          to(Idle, SendNotice, Drop, SessionDown, StartIdleHold),
		KeepaliveExpires:     to(Established, SendKeepalive, StartKeepalive),
		TCPFails:             to(Idle, Drop, SessionDown, StartIdleHold),
		OpenReceived:         to(Idle, SendStateError, Drop, SessionDown, StartIdleHold),
		HeaderBad:            to(Idle, SendNotice, Drop, SessionDown, StartIdleHold),
		OpenBad:              to(Idle, SendNotice, Drop, SessionDown, StartIdleHold),
		CollisionLost:        to(Idle, SendNotice, Drop, SessionDown),
		NotificationReceived: to(Idle, Drop, SessionDown, StartIdleHold),
		KeepaliveReceived:    to(Established, RestartHold),
		UpdateReceived:       to(Established, RestartHold, Deliver),
		UpdateBad:            to(Idle, SendNotice, Drop, SessionDown, StartIdleHold),
		SendHoldExpires:      to(Idle, SendNotice, Drop, SessionDown, StartIdleHold),
		RefreshReceived:      to(Established, RestartHold, Deliver),
	},
}

// step is the arrow from a state by an event; ok is false where there is none.
func step(s State, e Event) (next State, actions []Action, ok bool) {
	a := machineTable[s][e]
	if !a.known {
		return s, nil, false
	}
	return a.next, a.actions, true
}
