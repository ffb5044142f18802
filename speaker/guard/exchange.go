package guard

import (
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// exchange is the routes of one outer session, which outlives its inner sessions: what the peer sent, what it was sent, and what either side is still to
// be told.
//
//	          ┌────────── in: Adj-RIB-In ───────> toEngine ──────┐
//	peer ─────┤                                                  ├───── engine
//	          └────────── toPeer <─────── out: Adj-RIB-Out ──────┘
//
// While an engine is renewing, only what differs from out goes on to the peer; what is still stale at the end is withdrawn.
type exchange struct {
	session  wire.Session
	filter   *wire.Filter
	in, out  *wire.Table
	toEngine *queue
	toPeer   *queue

	ended    map[wire.Family]bool // the peer's End-of-RIB came
	told     map[wire.Family]bool // the peer was told ours
	renewing map[wire.Family]bool
	done     map[wire.Family]bool // the engine's End-of-RIB came
	engine   bool                 // there is one to be told
}

func newExchange(s wire.Session) *exchange {
	return &exchange{
		session: s, filter: wire.NewFilter(s), in: wire.NewTable(), out: wire.NewTable(), toEngine: newQueue(), toPeer: newQueue(),
		ended: make(map[wire.Family]bool), told: make(map[wire.Family]bool), renewing: make(map[wire.Family]bool),
		done: make(map[wire.Family]bool),
	}
}

// fromPeer takes what is left of a peer's UPDATE.
func (x *exchange) fromPeer(u *wire.Update) {
	if f := u.EndOfRIB; f != 0 {
		x.ended[f] = true
		if x.engine {
			x.toEngine.mark(f)
		}
		return
	}
	x.pass(x.in, x.toEngine, u.Changes(), false)
	if !x.engine {
		x.toEngine.clear() // all of it is in the table
	}
}

// fromEngine takes an UPDATE of the engine; byEndOfRIB says whether its End-of-RIB ends renewing. That of memberships always does: the peer sends its routes
// only after it (RFC 4684 §6), and the engine may wait for those before it has announced everything.
func (x *exchange) fromEngine(u *wire.Update, byEndOfRIB bool) {
	if f := u.EndOfRIB; f != 0 {
		x.done[f] = true
		if byEndOfRIB || f == wire.RouteTargets {
			x.renewed(f)
		}
		return
	}
	for _, c := range u.Changes() {
		x.pass(x.out, x.toPeer, []wire.Change{c}, x.renewing[c.Family])
	}
}

// pass brings changes into a table and makes due what the other side should hear: announcements, also repeated ones unless only differences count, and
// withdrawals of what was there.
func (x *exchange) pass(t *wire.Table, q *queue, changes []wire.Change, differences bool) {
	if differences {
		q.put(t.Apply(changes)...)
		return
	}
	for _, c := range changes {
		if made := t.Apply([]wire.Change{c}); len(made) > 0 || !c.Withdrawal() {
			q.put(c)
		}
	}
}

// engineUp begins an inner session: the engine is told the whole table. Families whose End-of-RIB the peer has sent, or for which nobody waits any more,
// are ended at once.
func (x *exchange) engineUp(settled bool) {
	x.engine = true
	x.toEngine.clear()
	for c := range x.in.All() {
		x.toEngine.put(c)
	}
	for _, f := range x.session.Families {
		if x.ended[f] || settled {
			x.toEngine.mark(f)
		}
	}
	x.out.Age()
	for _, f := range x.session.Families {
		x.renewing[f], x.done[f] = true, false
	}
}

// engineDown ends it. What the engine had said by then still goes out.
func (x *exchange) engineDown() {
	x.engine = false
	x.toEngine.clear()
}

// renewed withdraws what the engine did not announce again, and tells the peer End-of-RIB if it was not told before.
func (x *exchange) renewed(f wire.Family) {
	if !x.renewing[f] {
		return
	}
	x.renewing[f] = false
	x.toPeer.put(x.out.Sweep(f)...)
	if !x.told[f] {
		x.told[f] = true
		x.toPeer.mark(f)
	}
}

// renewedAll is renewed for every family.
func (x *exchange) renewedAll() {
	for _, f := range x.session.Families {
		x.renewed(f)
	}
}

// isRenewing reports whether any family is.
func (x *exchange) isRenewing() bool {
	for _, r := range x.renewing {
		if r {
			return true
		}
	}
	return false
}

// finished reports whether the engine's End-of-RIB has come for every family.
func (x *exchange) finished() bool {
	for _, f := range x.session.Families {
		if !x.done[f] {
			return false
		}
	}
	return true
}

// coming reports whether an engine is still at its table.
func (x *exchange) coming() bool {
	if !x.engine {
		return false
	}
	for f, r := range x.renewing {
		if r && !x.done[f] {
			return true
		}
	}
	return false
}

// refresh answers a ROUTE-REFRESH from a table.
func (x *exchange) refresh(t *wire.Table, q *queue, f wire.Family) {
	for c := range t.All() {
		if c.Family == f {
			q.put(c)
		}
	}
}

// batch is at most so many changes in one go.
const batch = 512

// messages takes from a queue what is written next, packed; nil if nothing is due. What does not fit into a message is returned.
func (x *exchange) messages(q *queue, s wire.Session, endOfRIB bool) (b []byte, updates int, unsent []wire.Change) {
	for q.len() > 0 && len(b) < maxChunk/2 {
		changes, end := q.take(batch)
		var packed [][]byte
		packed, rest := wire.Pack(changes, s)
		for _, m := range packed {
			b = append(b, m...)
		}
		updates += len(packed)
		unsent = append(unsent, rest...)
		if end != 0 && endOfRIB {
			b = wire.AppendEndOfRIB(b, end)
			updates++
		}
	}
	return b, updates, unsent
}

// engineEnds is how long after its beginning a session's table is taken for whole where the peer does not say so.
const engineEnds = 30 * time.Second
