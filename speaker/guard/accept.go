package guard

import (
	"net"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// moved follows a machine's change of state.
func (p *peer) moved(m *machine, from, next State, c cause) {
	if m.side.name == outerSide {
		p.log.WithFields(logrus.Fields{"from": from, "state": next, "accepted": m.accepted, "reason": c.String()}).Debug("session")
	}
	switch {
	case m.accepted && m.state == Idle:
		p.remove(m)
	case m.accepted && m.state == Active && from == OpenSent: // it is not ours to dial again
		p.fire(m, Stop, cause{})
	}
}

// remove forgets an accepted connection that is over.
func (p *peer) remove(m *machine) {
	for i, v := range p.accepted {
		if v == m {
			p.accepted = append(p.accepted[:i:i], p.accepted[i+1:]...)
			break
		}
	}
	if d := p.dialler; d != nil && d.state == Idle && d.idleHold.timer == nil && p.session == nil && !p.refusing && p.ctx.Err() == nil {
		p.act(d, StartIdleHold, Idle, cause{}) // it had lost to this one
	}
	p.expire()
}

// accept takes a connection that the peer dialled.
func (p *peer) accept(c net.Conn) {
	if p.refusing {
		c.Close()
		return
	}
	if len(p.accepted) >= maxAccepted {
		for _, m := range p.accepted {
			if m.state < OpenConfirm { // one that says nothing makes place
				p.fire(m, Stop, cause{notice: wire.Notification{Code: wire.Cease, Subcode: wire.CeaseRejected}})
				break
			}
		}
	}
	p.forget.stop()
	p.lonely.Store(false)
	m := &machine{side: p.outer(), since: p.now(), accepted: true}
	p.fire(m, StartPassive, cause{})
	p.accepted = append(p.accepted, m)
	p.connected(m, c)
}
