package guard

import "fmt"

// String is the state's name as other implementations write it.
func (s State) String() string { return name(stateNames[:], int(s)) }

// String is the event's name.
func (e Event) String() string { return name(eventNames[:], int(e)) }

// String is the action's name.
func (a Action) String() string { return name(actionNames[:], int(a)) }

func name(names []string, n int) string {
	if n < len(names) {
		return names[n]
	}
	return "unknown"
}

var stateNames = [states]string{"idle", "connect", "active", "opensent", "openconfirm", "established"}

var eventNames = [events]string{
	"Start", "StartPassive", "Stop", "ConnectRetryExpires", "HoldExpires", "KeepaliveExpires", "IdleHoldExpires", "TCPUp", "TCPFails", "OpenReceived",
	"HeaderBad", "OpenBad", "CollisionLost", "NotificationReceived", "KeepaliveReceived", "UpdateReceived", "UpdateBad", "SendHoldExpires", "RefreshReceived",
}

var actionNames = [...]string{
	"Dial", "Drop", "SendOpen", "SendKeepalive", "SendNotice", "SendStateError", "StartRetry", "StopRetry", "StartIdleHold", "StartOpenHold", "StartHold",
	"RestartHold", "StartKeepalive", "SessionUp", "SessionDown", "Deliver",
}

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("session state %q: is none of RFC 4271 §8.2.2", b)
}
