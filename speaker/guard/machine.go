package guard

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// machine is the finite state machine of one connection, with what its actions work on: a socket and timers. It belongs to one peer's loop. Outer and
// inner sessions are machines alike; they differ in their side.
type machine struct {
	side     side
	state    State
	since    time.Time     // of the state
	lasted   time.Duration // the state before
	accepted bool          // the other side dialled
	made     time.Time     // when its connection was
	conn     *conn
	dialling context.CancelFunc

	sent, received *wire.Open
	hold           time.Duration // agreed; 0 is none
	heard          time.Time     // the last message
	attempts       int           // that failed, or lasted too briefly, in a row
	unanswered     int           // inner OPENs since the last session
	control        []byte        // messages that wait for the socket and go before routes
	last           []byte        // the NOTIFICATION to end with

	retry, idleHold, holding, keepalive, sendHold alarm
}

// side is what tells an outer from an inner session.
type side struct {
	name    string
	dial    func(context.Context) (net.Conn, error)
	open    func() *wire.Open
	check   func(*machine, *wire.Open) *wire.Error // of the OPEN received
	backoff func(attempts int) time.Duration
	limiter *rate.Limiter
	up      func(*machine)
	down    func(*machine, cause)
	deliver func(*machine, []byte) *wire.Error // an UPDATE or ROUTE-REFRESH
}

// cause is what came with an event.
type cause struct {
	notice  wire.Notification // to be sent, or received
	heard   bool              // it was received
	message []byte
	err     error
}

func (c cause) String() string {
	switch {
	case c.heard:
		return "the other side says: " + c.notice.String()
	case c.err != nil:
		return c.err.Error()
	case c.notice.Code != 0:
		return c.notice.String()
	}
	return ""
}

// openHold is the hold time before one is agreed (RFC 4271 §8.2.2).
const openHold = 4 * time.Minute

// lasting is how long a session must have been up to count as a success, after which the next attempt is made at once.
const lasting = 5 * time.Second

// fire takes an event through the table and does its actions.
func (p *peer) fire(m *machine, e Event, c cause) {
	next, actions, ok := step(m.state, e)
	if !ok {
		return
	}
	from := m.state
	if slices.Contains(actions, SendStateError) {
		c.err = fmt.Errorf("%v in state %v", e, from)
	}
	if from != next {
		now := p.now()
		m.state, m.since, m.lasted = next, now, now.Sub(m.since)
	}
	if text := c.String(); text != "" && next < OpenSent && m.side.name == outerSide {
		if !p.told || text != p.failure {
			level := logrus.InfoLevel
			switch {
			case p.ctx.Err() != nil:
				level = logrus.DebugLevel // it is we who end
			case from == Established:
				level = logrus.WarnLevel
			}
			p.log.WithFields(logrus.Fields{"from": from, "state": next, "reason": text}).Log(level, "no session")
		}
		p.failure, p.told = text, true
	}
	for _, a := range actions {
		p.act(m, a, from, c)
	}
	if from != next {
		p.moved(m, from, next, c)
	}
}

func (p *peer) act(m *machine, a Action, from State, c cause) {
	switch a {
	case Dial:
		p.dial(m)
	case Drop:
		m.drop()
	case SendOpen:
		m.sent = m.side.open()
		p.control(m, m.sent.Append(nil))
	case SendKeepalive:
		if len(m.control) == 0 { // else the other side hears of us anyway
			p.control(m, wire.AppendKeepalive(nil))
		}
	case SendNotice:
		if c.notice.Code != 0 {
			m.last = c.notice.Append(nil)
			p.recorded(m, m.last, true)
		}
	case SendStateError:
		m.last = wire.Notification{Code: wire.StateMachineError, Subcode: uint8(from-OpenSent) + 1}.Append(nil)
	case StartRetry:
		wait := dialTime + time.Second
		if m.state == Active {
			wait = m.side.backoff(m.attempts)
			m.attempts++
		}
		p.arm(m, &m.retry, wait, ConnectRetryExpires)
	case StopRetry:
		m.retry.stop()
	case StartIdleHold:
		if !m.accepted && (m != p.inner || p.session != nil) { // GoBGP's end may have ended the peer's session, too, and with it what there is to tell
			p.arm(m, &m.idleHold, m.side.backoff(m.attempts), IdleHoldExpires)
			m.attempts++
		}
	case StartOpenHold:
		m.hold, m.heard = openHold, p.now()
		if m == p.inner {
			m.hold = min(innerOpen<<min(m.unanswered, 10), openHold)
			m.unanswered++
		}
		p.arm(m, &m.holding, m.hold, HoldExpires)
	case StartHold:
		p.agree(m)
	case RestartHold:
		m.heard = p.now()
	case StartKeepalive:
		if m.hold > 0 {
			p.arm(m, &m.keepalive, m.hold/3, KeepaliveExpires)
		}
	case SessionUp:
		m.side.up(m)
	case SessionDown:
		if m.lasted >= lasting {
			m.attempts = 0
		}
		m.side.down(m, c)
	case Deliver:
		if err := m.side.deliver(m, c.message); err != nil {
			p.fire(m, UpdateBad, cause{notice: err.Notification(), err: err})
		}
	}
}

// agree sets the hold time to the smaller of both (RFC 4271 §4.2).
func (p *peer) agree(m *machine) {
	m.hold = time.Duration(min(m.sent.HoldTime, m.received.HoldTime)) * time.Second
	m.heard = p.now()
	m.holding.stop()
	m.keepalive.stop()
	if m.hold == 0 {
		return
	}
	p.arm(m, &m.holding, m.hold, HoldExpires)
	p.arm(m, &m.keepalive, m.hold/3, KeepaliveExpires)
	if err := unanswered(m.conn.Conn, m.hold); err != nil {
		p.log.WithError(err).Warn("the kernel will not tell that the peer is gone")
	}
}

// dial begins a connection; its end comes as TCPUp or TCPFails.
func (p *peer) dial(m *machine) {
	ctx, cancel := context.WithCancel(p.ctx)
	m.dialling = cancel
	p.work.Go(func() {
		c, err := m.side.dial(ctx)
		if !p.post(happening{machine: m, dialled: true, socket: c, err: err, dial: ctx}) && c != nil {
			c.Close()
		}
	})
}

// connected gives the machine its socket.
func (p *peer) connected(m *machine, c net.Conn) {
	m.made = p.now()
	m.conn = newConn(c, m.side.limiter, &p.work, func(v chunk) { p.post(happening{machine: m, chunk: v}) })
	p.fire(m, TCPUp, cause{})
}

// drop closes the socket and stops the timers.
func (m *machine) drop() {
	for _, a := range []*alarm{&m.retry, &m.idleHold, &m.holding, &m.keepalive, &m.sendHold} {
		a.stop()
	}
	if m.dialling != nil {
		m.dialling()
		m.dialling = nil
	}
	if m.conn != nil {
		m.conn.close(m.last)
	}
	m.conn, m.last, m.control = nil, nil, nil
}

// expired judges a hold timer that ran out: it may have been restarted since, and as long as we do not read, the silence is ours.
func (p *peer) expired(m *machine) {
	quiet := p.now().Sub(m.heard)
	switch {
	case m.conn != nil && (m.conn.waiting || m.conn.slowed.Load()):
		p.arm(m, &m.holding, m.hold, HoldExpires)
	case quiet < m.hold:
		p.arm(m, &m.holding, m.hold-quiet, HoldExpires)
	default:
		p.fire(m, HoldExpires, cause{
			notice: wire.Notification{Code: wire.HoldTimerExpired}, err: fmt.Errorf("nothing was received for %v: hold timer expired", m.hold),
		})
	}
}

// control queues a message that goes before routes.
func (p *peer) control(m *machine, msg []byte) {
	m.control = append(m.control, msg...)
	p.recorded(m, msg, true)
}
