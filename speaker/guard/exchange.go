package guard

import (
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// exchange is the routes of one outer session: what the peer sent, and what the engine, GoBGP and the peer are still to be told. What the engine announces
// the distributor has, for all peers.
//
//	       ┌── in: Adj-RIB-In ──┬──► toEngine ──► link
//	peer ──┤                    └──► toMirror ──► inner session, behind
//	       └── toPeer ◄── distributor ◄────────── link
type exchange struct {
	session  wire.Session
	filter   *wire.Filter
	in       *wire.Table
	toEngine *queue
	toMirror *queue
	toPeer   *queue

	families []progress // of the session
	engine   bool       // there is one to be told
	mirror   bool       // GoBGP is there to be told

	// Memory that is used again.
	packer  wire.Packer
	own     wire.Packer // of what our own engine announces
	changes []wire.Change
}

// progress is how far both sides are with a family.
type progress struct {
	wire.Family
	ended bool // the peer's End-of-RIB came
	told  bool // the peer was told ours
}

func newExchange(s wire.Session) *exchange {
	x := &exchange{session: s, filter: wire.NewFilter(s), in: wire.NewTable(), toEngine: newQueue(), toMirror: newQueue(), toPeer: newQueue()}
	x.own.Own = true
	for _, f := range s.Families {
		x.families = append(x.families, progress{Family: f})
	}
	return x
}

// of is the progress of a family of the session; of another it is one that nobody knows.
func (x *exchange) of(f wire.Family) *progress {
	for i := range x.families {
		if x.families[i].Family == f {
			return &x.families[i]
		}
	}
	return &progress{Family: f}
}

// engineUp begins the time of an engine: it is told the whole table, and its end if the peer has said that, or nobody waits for it any more.
func (x *exchange) engineUp(settled bool) {
	x.engine = true
	x.tellAll(x.toEngine, settled)
}

// engineDown ends it.
func (x *exchange) engineDown() {
	x.engine = false
	x.toEngine.clear()
}

// mirrorUp and mirrorDown are the same of a session with GoBGP.
func (x *exchange) mirrorUp() {
	x.mirror = true
	x.tellAll(x.toMirror, false)
}

func (x *exchange) mirrorDown() {
	x.mirror = false
	x.toMirror = newQueue() // a map keeps the memory that it ever had
}

// tellAll makes the whole table due, and nothing else.
func (x *exchange) tellAll(q *queue, settled bool) {
	q.clear()
	x.repeat(q)
	if x.of(wire.EVPN).ended || settled {
		q.mark(wire.EVPN)
	}
}

// repeat makes the whole table due again.
func (x *exchange) repeat(q *queue) {
	for c := range x.in.All() {
		if c.Family == wire.EVPN {
			q.put(c)
		}
	}
}

// fromPeer takes what is left of a peer's UPDATE, and is its changes until the next one.
func (x *exchange) fromPeer(u *wire.Update) []wire.Change {
	if f := u.EndOfRIB; f != 0 {
		x.of(f).ended = true
		if f == wire.EVPN && x.engine {
			x.toEngine.mark(f)
		}
		if f == wire.EVPN && x.mirror {
			x.toMirror.mark(f)
		}
		return nil
	}
	x.changes = u.AppendChanges(x.changes[:0])
	for _, c := range x.changes {
		different := x.in.Set(c)
		if c.Family != wire.EVPN || !different && c.Withdrawal() {
			continue
		}
		if x.engine {
			x.toEngine.put(c) // also what is said again
		}
		if x.mirror && different {
			x.toMirror.put(c)
		}
	}
	return x.changes
}

// batch is at most so many changes in one go.
const batch = 512

// messages appends what is written next, taken from a queue and packed: batches, until there are so many octets. What does not fit into a message is returned.
func (x *exchange) messages(b []byte, octets int, q *queue, packer *wire.Packer, s wire.Session, endOfRIB bool) (_ []byte, updates int, unsent []wire.Change) {
	for start := len(b); q.len() > 0 && (len(b) == start || len(b)-start < octets); {
		var end wire.Family
		var packed int
		var rest []wire.Change
		x.changes, end = q.take(x.changes[:0], batch)
		b, packed, rest = packer.Append(b, x.changes, s)
		updates += packed
		unsent = append(unsent, rest...)
		if end != 0 && endOfRIB {
			b = wire.AppendEndOfRIB(b, end)
			updates++
		}
	}
	clear(x.changes) // it keeps no routes alive
	return b, updates, unsent
}

// engineEnds is how long after its beginning a session's table is taken for whole where the peer does not say so.
const engineEnds = 30 * time.Second
