package guard

import "github.com/tns-project/tns/speaker/guard/wire"

// collide compares a connection whose OPEN has come with the peer's others; false when it is the one to close (RFC 4271 §6.8).
func (p *peer) collide(m *machine) bool {
	lost := cause{notice: wire.Notification{Code: wire.Cease, Subcode: wire.CeaseCollision}}
	for _, other := range p.machines() {
		if other == m || other.state < OpenConfirm {
			continue
		}
		switch stays(p.guard.config, m, other) {
		case m:
			p.fire(other, CollisionLost, lost)
		default:
			p.fire(m, CollisionLost, lost)
			return false
		}
	}
	return true
}

// stays is which of two connections does: m, whose OPEN has just come, or another that has come further.
//
//   - An established one stays, unless the peer speaks graceful restart and dialled after it was established: it has restarted (RFC 4724 §5).
//   - Else the one that the side with the higher BGP identifier dialled, or with equal ones that with the higher AS (RFC 6286 §2.3).
//   - Of two that the same side dialled the newer one.
func stays(own Config, m, other *machine) *machine {
	if other.state == Established {
		if m.accepted && m.made.After(other.since) && other.received.GracefulRestart != nil {
			return m
		}
		return other
	}
	if m.accepted == other.accepted {
		return m
	}
	theirs := own.RouterID < m.received.RouterID || own.RouterID == m.received.RouterID && own.AS < m.received.AS
	if m.accepted == theirs {
		return m
	}
	return other
}
