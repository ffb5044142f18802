package guard

import (
	"sync"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// Shrink lets go of the memory that peers' loops keep to use it again, and returns when they have: for a guard that is at rest. After a flood each has some 100 KiB.
func (g *Guard) Shrink() {
	var loops sync.WaitGroup
	for _, p := range g.all() {
		loops.Add(1)
		if !p.post(happening{do: func() { p.shrink(); loops.Done() }}) {
			loops.Done()
		}
	}
	loops.Wait()
}

func (p *peer) shrink() {
	p.linkBuffer, p.scratch, p.mail, p.buffer = nil, nil, nil, nil
	if p.routes != nil {
		p.routes.shrink()
	}
}

func (x *exchange) shrink() {
	x.packer, x.own, x.changes = wire.Packer{Own: x.packer.Own}, wire.Packer{Own: x.own.Own}, nil
	for _, q := range []*queue{x.toEngine, x.toMirror, x.toPeer} {
		if q.len() == 0 {
			*q = queue{newest: make(map[wire.RouteKey]wire.Change), now: q.now}
		}
	}
}
