package guard

import (
	"fmt"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// sendHoldTimerExpired is the error code of RFC 9687 §4.
const sendHoldTimerExpired wire.Code = 8

// alarm is a timer whose end comes to the loop as an event; one that was stopped or set anew in the meantime does not count any more.
type alarm struct {
	timer *time.Timer
	set   int // counts settings
}

func (a *alarm) stop() {
	a.set++
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// arm sets the alarm to fire an event at the machine.
func (p *peer) arm(m *machine, a *alarm, d time.Duration, e Event) {
	p.after(a, d, func() {
		switch {
		case e == HoldExpires:
			p.expired(m)
		case (e == IdleHoldExpires || e == ConnectRetryExpires) && m == p.dialler && p.session != nil && p.session != m:
			p.fire(m, Stop, cause{}) // what the peer dialled has become the session meanwhile; its end begins anew
		case e == SendHoldExpires:
			p.fire(m, e, cause{
				notice: wire.Notification{Code: sendHoldTimerExpired}, err: fmt.Errorf("the other side read nothing for %v: send hold timer expired", m.hold),
			})
		default:
			p.fire(m, e, cause{})
		}
	})
}

// after sets the alarm to do something in the loop.
func (p *peer) after(a *alarm, d time.Duration, do func()) {
	a.stop()
	set := a.set
	a.timer = time.AfterFunc(d, func() {
		p.post(happening{do: func() {
			if a.set == set {
				a.timer = nil
				do()
			}
		}})
	})
}
