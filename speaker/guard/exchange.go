package guard

import (
	"slices"
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
	toMirror *queue
	toPeer   *queue

	families []progress // of the session
	engine   bool       // there is one to be told
	mirror   bool       // there is a mirror to be told

	// Memory that is used again.
	reader  wire.Reader // of the engine's UPDATEs
	packer  wire.Packer
	own     wire.Packer // of what our own engine announces on the link
	changes []wire.Change
}

// progress is how far both sides are with a family.
type progress struct {
	wire.Family
	ended    bool // the peer's End-of-RIB came
	told     bool // the peer was told ours
	renewing bool
	done     bool // the engine's End-of-RIB came
}

func newExchange(s wire.Session) *exchange {
	x := &exchange{session: s, filter: wire.NewFilter(s), in: wire.NewTable(), out: wire.NewTable(), toEngine: newQueue(), toMirror: newQueue(), toPeer: newQueue()}
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

// fromPeer takes what is left of a peer's UPDATE.
func (x *exchange) fromPeer(u *wire.Update) {
	if f := u.EndOfRIB; f != 0 {
		x.of(f).ended = true
		if x.engine {
			x.toEngine.mark(f)
		}
		return
	}
	x.changes = u.AppendChanges(x.changes[:0])
	for _, c := range x.changes {
		x.pass(x.in, x.toEngine, c, false)
	}
	if !x.engine {
		x.toEngine.clear() // all of it is in the table
	}
}

// fromEngine takes an UPDATE of the engine; byEndOfRIB says whether its End-of-RIB ends renewing. That of memberships always does: the peer sends its routes
// only after it (RFC 4684 §6), and the engine may wait for those before it has announced everything.
func (x *exchange) fromEngine(u *wire.Update, byEndOfRIB bool) {
	if f := u.EndOfRIB; f != 0 {
		x.of(f).done = true
		if byEndOfRIB || f == wire.RouteTargets {
			x.renewed(x.of(f))
		}
		return
	}
	x.changes = u.AppendChanges(x.changes[:0])
	for _, c := range x.changes {
		x.pass(x.out, x.toPeer, c, x.of(c.Family).renewing)
	}
}

// pass brings a change into a table and makes due what the other side should hear: an announcement, also a repeated one unless only differences count, and
// the withdrawal of what was there.
func (x *exchange) pass(t *wire.Table, q *queue, c wire.Change, differences bool) {
	if t.Set(c) || !differences && !c.Withdrawal() {
		q.put(c)
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
	x.out.Age()
	for i := range x.families {
		f := &x.families[i]
		if f.ended || settled {
			x.toEngine.mark(f.Family)
		}
		f.renewing, f.done = true, false
	}
}

// engineDown ends it. What the engine had said by then still goes out.
func (x *exchange) engineDown() {
	x.engine = false
	x.toEngine.clear()
}

// renewed withdraws what the engine did not announce again, and tells the peer End-of-RIB if it was not told before.
func (x *exchange) renewed(f *progress) {
	if !f.renewing {
		return
	}
	f.renewing = false
	x.toPeer.put(x.out.Sweep(f.Family)...)
	if !f.told {
		f.told = true
		x.toPeer.mark(f.Family)
	}
}

// renewedAll is renewed for every family.
func (x *exchange) renewedAll() {
	for i := range x.families {
		x.renewed(&x.families[i])
	}
}

// isRenewing reports whether any family is.
func (x *exchange) isRenewing() bool {
	return slices.ContainsFunc(x.families, func(f progress) bool { return f.renewing })
}

// finished reports whether the engine's End-of-RIB has come for every family.
func (x *exchange) finished() bool {
	return !slices.ContainsFunc(x.families, func(f progress) bool { return !f.done })
}

// coming reports whether an engine is still at its table.
func (x *exchange) coming() bool {
	return x.engine && slices.ContainsFunc(x.families, func(f progress) bool { return f.renewing && !f.done })
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

// messages appends what is written next, taken from a queue and packed. What does not fit into a message is returned.
func (x *exchange) messages(b []byte, q *queue, packer *wire.Packer, s wire.Session, endOfRIB bool) (_ []byte, updates int, unsent []wire.Change) {
	for start := len(b); q.len() > 0 && len(b)-start < maxChunk/2; {
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
