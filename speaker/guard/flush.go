package guard

import "github.com/tns-project/tns/speaker/guard/wire"

// flush writes what is due as far as the sockets take it, and lets readers go on where there is room for what they bring.
func (p *peer) flush() {
	p.heedEngine()
	p.heedShow()
	p.heedMemberships()
	p.collect()
	p.writeLink()
	for _, m := range p.machines() {
		p.write(m)
	}
	p.overtaken()
	p.write(p.inner)
	for _, m := range p.machines() {
		if m.conn != nil && m.conn.waiting && (p.routes == nil || p.routes.toEngine.len() < highWater) {
			m.conn.next()
		}
	}
	if m := p.inner; m.conn != nil && m.conn.waiting {
		m.conn.next()
	}
}

// write gives a machine's socket what is due to it.
func (p *peer) write(m *machine) {
	for m.conn != nil && m.conn.idle() {
		b := append(p.buffer[:0], m.control...)
		m.control = nil
		if m.state == Established {
			b = p.due(m, b)
		}
		if len(b) == 0 {
			return
		}
		p.buffer = nil
		if !m.conn.send(b) && cap(b) <= maxChunk {
			p.buffer = b
		}
		if !m.conn.idle() && m.hold > 0 {
			p.arm(m, &m.sendHold, m.hold, SendHoldExpires)
		}
	}
}

// due appends the routes that are due on an established session.
func (p *peer) due(m *machine, b []byte) []byte {
	if p.routes == nil {
		return b
	}
	q, s, endOfRIB := p.routes.toPeer, p.routes.session, p.session != nil && p.session.received.GracefulRestart != nil
	packer := &p.routes.own
	switch {
	case m == p.inner:
		q, packer, s, endOfRIB = p.routes.toMirror, &p.routes.packer, wire.Negotiate(m.sent, m.received), true
	case m != p.session:
		return b
	}
	if q.len() == 0 || m == p.session && p.gathers() || m == p.inner && !p.mirrors() {
		return b
	}
	start, octets := len(b), maxChunk/2
	if m == p.session && p.coming() {
		octets = 0 // a batch: what there is beyond it waits for more
	}
	waiting := q.len()
	b, updates, unsent := p.routes.messages(b, octets, q, packer, s, endOfRIB)
	p.recorded(m, b[start:], true)
	if m == p.inner {
		p.behind = max(0, p.behind-(waiting-q.len()))
	} else {
		p.count.Sent += uint64(updates)
	}
	p.unsent(unsent)
	return b
}

// unsent counts routes that are longer than a message.
func (p *peer) unsent(changes []wire.Change) {
	for _, c := range changes {
		p.refuse(wire.Refusal{Decision: wire.Withdraw, What: "too long", Text: "the route does not fit into a message", Octets: []byte(c.NLRI)})
	}
}
