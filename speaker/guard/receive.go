package guard

import (
	"errors"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// receive takes one message through the machine.
func (p *peer) receive(m *machine, msg []byte) {
	switch wire.TypeOf(msg) {
	case wire.TypeOpen:
		p.receiveOpen(m, msg)
	case wire.TypeUpdate:
		p.fire(m, UpdateReceived, cause{message: msg})
	case wire.TypeKeepalive:
		p.fire(m, KeepaliveReceived, cause{})
	case wire.TypeRouteRefresh:
		p.fire(m, RefreshReceived, cause{message: msg})
	case wire.TypeNotification:
		n, err := wire.ParseNotification(msg)
		n.Data = append([]byte(nil), n.Data...)
		p.fire(m, NotificationReceived, cause{notice: n, heard: err == nil, err: err})
	}
}

func (p *peer) receiveOpen(m *machine, msg []byte) {
	if m.state != OpenSent {
		p.fire(m, OpenReceived, cause{})
		return
	}
	o, err := wire.ParseOpen(msg)
	if err == nil {
		if bad := m.side.check(m, o); bad != nil {
			err = bad
		}
	}
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		p.fire(m, OpenBad, cause{notice: bad.Notification(), err: bad})
		return
	}
	m.received = o
	if m.side.name == outerSide && !p.collide(m) {
		return
	}
	p.fire(m, OpenReceived, cause{})
}
