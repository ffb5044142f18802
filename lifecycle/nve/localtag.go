package nve

import (
	"fmt"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tag"
)

// Told is the local tag that a VM's responses tell for a (VN, MAC), and what its TES answered to the last change of it. It is remembered over restarts, so that the change
// number goes on.
type Told struct {
	evpn.LocalTag
	Changed time.Time // when it was changed; zero: it is what the VM was told first, and nobody answers that
	Answer  Applied
}

// Applied is what a TES answered to a change (ECHO).
type Applied uint8

const (
	Unanswered Applied = iota
	TagApplied
	TagFailed
)

// waits reports whether an answer is waited for.
func (t Told) waits() bool { return !t.Changed.IsZero() && t.Answer == Unanswered }

// Word is how far the change is, for people: "", "waiting", "applied", "failed".
func (t Told) Word() string {
	switch {
	case t.Changed.IsZero():
		return ""
	case t.Answer == TagApplied:
		return "applied"
	case t.Answer == TagFailed:
		return "failed"
	}
	return "waiting"
}

// localTag is what the response to a request tells; none where there is none to tell: a VN that the VM does not hold and could not have a VID in.
func (e *Edge) localTag(o *offer) (evpn.LocalTag, bool) {
	st := StationKey{o.vn.VNI, o.route.MAC}
	k, tagged := e.tagOf(st, o.vm.TES)
	told, known := e.memory.Told[o.vm].Get(st)
	r := e.records[o.vm]
	policy, holds := o.request.Policy, false
	if held := r.holding(st); held != nil && !o.dryRun() {
		policy, holds = held.policy, true // whatever a request that was refused wanted
	}
	want := evpn.LocalTag{PCP: e.pcpOf(o.vn, policy)}
	switch t, ok := e.book.Get(k); {
	case !tagged:
	case known && told.Type == evpn.TagDot1Q && holds && (told.VID == t.VID || told.VID == t.Old):
		want.Type, want.VID = evpn.TagDot1Q, told.VID
	case ok && e.book.IsHeld(k):
		want.Type, want.VID = evpn.TagDot1Q, t.Tell()
	default:
		vid, err := e.book.Check(k, o.proposal())
		if err != nil {
			return evpn.LocalTag{}, false
		}
		want.Type, want.VID = evpn.TagDot1Q, vid
	}
	if !holds {
		return want, true
	}
	if !known && o.request.Echo != nil { // nothing is remembered, and the TES knows the number of the last change
		want.Change = o.request.Echo.Change
	}
	return e.tellTag(o.vm, st, want).LocalTag, true
}

// holding is one of the record's bindings of a (VN, MAC), all of which have one policy; nil: none, or no record.
func (r *record) holding(st StationKey) *binding {
	if r == nil {
		return nil
	}
	for _, b := range r.bindings {
		if b.station() == st {
			return b
		}
	}
	return nil
}

// holds reports whether a (VN, MAC) is among the record's bindings.
func (r *record) holds(st StationKey) bool { return r.holding(st) != nil }

// tellTag notes what a VM is told. What is another than before is a change, with the next number.
func (e *Edge) tellTag(k VMKey, st StationKey, want evpn.LocalTag) Told {
	told, known := e.memory.Told[k].Get(st)
	switch {
	case !known:
		told = Told{LocalTag: want}
	case told.Type == want.Type && told.VID == want.VID && told.PCP == want.PCP:
		return told
	default:
		want.Change = told.Change + 1
		told = Told{LocalTag: want, Changed: e.now}
	}
	e.putTold(k, st, told)
	if known {
		e.awaitEcho(k, st, told)
		e.noteTag(history.KindTag, k, st, "is told "+tagText(told.LocalTag))
	} else if tk, tagged := e.tagOf(st, k.TES); tagged {
		e.stepTag(tk) // one more that uses the new VID
	}
	return told
}

func (e *Edge) putTold(k VMKey, st StationKey, t Told) {
	all := e.memory.Told[k]
	all.Put(st, t)
	e.memory.Told[k] = all
	if e.Store != nil {
		e.Store.PutTold(k, st, &t)
	}
}

// untell forgets what a VM was told of a (VN, MAC) that it does not hold any more.
func (e *Edge) untell(k VMKey, st StationKey) {
	all := e.memory.Told[k]
	if _, ok := all.Get(st); !ok {
		return
	}
	if all.Drop(st); len(all) == 0 {
		delete(e.memory.Told, k)
	} else {
		e.memory.Told[k] = all
	}
	if e.Store != nil {
		e.Store.PutTold(k, st, nil)
	}
	if t, tagged := e.tagOf(st, k.TES); tagged {
		e.stepTag(t)
	}
}

func (e *Edge) untellAll(k VMKey) {
	for _, told := range slices.Clone(e.memory.Told[k]) {
		e.untell(k, told.StationKey)
	}
}

// untellOthers forgets what a VM was told of (VN, MAC)s that are not in its set any more.
func (e *Edge) untellOthers(r *record) {
	for _, told := range slices.Clone(e.memory.Told[r.key]) {
		if !r.holds(told.StationKey) {
			e.untell(r.key, told.StationKey)
		}
	}
}

// retell tells the VMs of a VN on a segment its new VID: those that are here with a response, the others when they come back.
func (e *Edge) retell(tk tag.Key, t tag.Tag) {
	for _, k := range keysOf(e.memory.Told, compareVMKeys) {
		for _, at := range slices.Clone(e.memory.Told[k]) {
			st, told := at.StationKey, at.Value
			of, tagged := e.tagOf(st, k.TES)
			if tagged && of == tk && (told.VID != t.VID || told.Type != evpn.TagDot1Q) {
				e.tellTag(k, st, evpn.LocalTag{Type: evpn.TagDot1Q, VID: t.VID, PCP: told.PCP})
				e.respondAgain(k, st)
			}
		}
	}
}

// respondAgain tells the standing answers for a (VN, MAC) again, with what has changed beside them.
func (e *Edge) respondAgain(k VMKey, st StationKey) {
	r := e.records[k]
	if r == nil {
		return
	}
	for _, all := range []offers{r.offers, r.kept} {
		for _, o := range all {
			if o.vn != nil && o.vn.VNI == st.VNI && o.route.MAC == st.MAC && o.told {
				e.respond(o, o.stands)
			}
		}
	}
}

// echoed takes a TES's answer to a change, if a request brings it.
func (e *Edge) echoed(o *offer) {
	if o.vn == nil || o.request.Echo == nil {
		return
	}
	st, echo := StationKey{o.vn.VNI, o.route.MAC}, o.request.Echo
	told, known := e.memory.Told[o.vm].Get(st)
	if !known || told.Changed.IsZero() || told.Change != echo.Change {
		return
	}
	answer := TagApplied
	if echo.Failed {
		answer = TagFailed
	}
	if told.Answer == answer {
		return
	}
	told.Answer = answer
	e.putTold(o.vm, st, told)
	if echo.Failed {
		e.stats.tagsFailed++
		e.noteTag(history.KindAlarm, o.vm, st, "the TES could not apply "+tagText(told.LocalTag))
	} else {
		e.noteTag(history.KindTag, o.vm, st, "the TES applied "+tagText(told.LocalTag))
	}
	if k, tagged := e.tagOf(st, o.vm.TES); tagged {
		e.stepTag(k)
	}
}

// awaitEcho has an alarm be raised when a TES does not answer a change in time.
func (e *Edge) awaitEcho(k VMKey, st StationKey, told Told) {
	e.timers.after(e.now, max(told.Changed.Add(tag.Patience).Sub(e.now), 0), func() {
		if now, _ := e.memory.Told[k].Get(st); now == told {
			e.stats.tagsUnanswered++
			e.noteTag(history.KindAlarm, k, st, fmt.Sprintf("the TES has not answered to %s for %v", tagText(told.LocalTag), tag.Patience))
		}
	})
}

// tally counts how far the VMs of a VN on a segment are.
func (e *Edge) tally(tk tag.Key) (y tag.Tally) {
	t, _ := e.book.Get(tk)
	for k, stations := range e.memory.Told {
		for _, at := range stations {
			told := at.Value
			of, tagged := e.tagOf(at.StationKey, k.TES)
			switch {
			case !tagged || of != tk:
			case t.Old != 0 && told.VID == t.Old:
				y.Old++
			case told.Answer == TagFailed:
				y.Failed++
			case told.waits():
				y.Waiting++
			default:
				y.Applied++
			}
		}
	}
	return y
}

func (e *Edge) noteTag(kind history.Kind, k VMKey, st StationKey, detail string) {
	e.note(history.Event{Kind: kind, VM: k.VM.String(), TES: k.TES.String(), VNI: uint32(st.VNI), MAC: st.MAC.String(), Detail: detail})
}

// tagText is a local tag for people.
func tagText(t evpn.LocalTag) string {
	if t.Type == evpn.TagNone {
		return fmt.Sprintf("local tag untagged, PCP %d, change %d", t.PCP, t.Change)
	}
	return fmt.Sprintf("local tag VID %d, PCP %d, change %d", t.VID, t.PCP, t.Change)
}
