package nve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tag"
)

// The local tag (§3.3.9, requirements 4 and 5). The Tags of the VNs on tagged ports are in a book (package tag); here they are told to VMs, to the kernel and to the disk. What a
// VM was told, and what its TES answered, is in localtag.go.

// Segment is a tagged port, or several between which a VN has one VID.
type Segment struct {
	Name  string
	VIDs  []tag.Range                 // that are given out; empty: 2 to 4094
	Fixed map[evpn.VNI]uint16         // the VIDs of some VNs
	Found map[evpn.VNI]dataplane.VIDs // what the kernel holds of a run before, for when nothing is remembered
}

// stepPause is how long answers of TESs are gathered before a change is looked at.
const stepPause = 20 * time.Millisecond

// openBook makes the book of the configured segments, with what is remembered, or else what the kernel has.
func (e *Edge) openBook() {
	before := maps.Clone(e.memory.Tags)
	var segments []tag.Segment
	for _, s := range e.config.Segments {
		fixed := make(map[uint32]uint16, len(s.Fixed))
		for vni, vid := range s.Fixed {
			fixed[uint32(vni)] = vid
		}
		segments = append(segments, tag.Segment{Name: s.Name, VIDs: s.VIDs, Fixed: fixed})
		for vni, vids := range s.Found {
			if k := (tag.Key{Segment: s.Name, VNI: uint32(vni)}); vids.Send != 0 && before[k] == (tag.Tag{}) {
				before[k] = tag.Tag{VID: vids.Send, Sent: vids.Send}
			}
		}
	}
	e.book = tag.New(segments, before)
}

// resumeTags has the VNs of before be on their segments until the end of the start, so that nobody else gets their VIDs, and begins the changes that the configuration
// wants.
func (e *Edge) resumeTags() {
	for _, k := range keysOf(e.memory.Told, compareVMKeys) {
		for _, at := range e.memory.Told[k] {
			st, told := at.StationKey, at.Value
			key, tagged := e.tagOf(st, k.TES)
			if tagged && told.Type == evpn.TagDot1Q && !e.book.Resume(key) {
				e.Log.WithField("vni", st.VNI).WithField("segment", key.Segment).Warn("the VID of before is not known, or another VN's now")
			}
			if told.waits() {
				e.awaitEcho(k, st, told)
			}
		}
	}
	for _, k := range e.book.Held() {
		t, _ := e.book.Get(k)
		e.armTag(k, t)
	}
	e.placeTags()
	e.saveTags()
}

// placeTags begins changes for VNs whose VID is not what the configuration says.
func (e *Edge) placeTags() {
	for _, k := range e.book.Held() {
		vid, misplaced := e.book.Misplaced(k)
		if !misplaced {
			continue
		}
		if _, err := e.retag(k, vid); err != nil {
			e.note(history.Event{Kind: history.KindAlarm, VNI: k.VNI, Detail: fmt.Sprintf("VID on %s cannot be changed to what is configured: %v", k.Segment, err)})
		}
	}
}

// segmentOf is the segment that a port belongs to; empty: its frames bear no tag.
func (v *vn) segmentOf(port string) string { return v.segments[port] }

// tagOf names the Tag that a VN has for a MAC at a TES; ok is false where frames bear none.
func (e *Edge) tagOf(st StationKey, tes evpn.RouterID) (k tag.Key, ok bool) {
	v := e.vns[st.VNI]
	if v == nil {
		return k, false
	}
	segment := v.segmentOf(v.portOf(tes, st.MAC))
	return tag.Key{Segment: segment, VNI: uint32(st.VNI)}, segment != ""
}

// takeTags has the VNs of a procedure's set be known by a VID on the VM's port. Where there is none, the routes of that VN are refused.
func (e *Edge) takeTags(p *procedure) Verdict {
	var v Verdict
	for _, b := range p.bindings {
		k, tagged := e.tagOf(b.station(), p.record.key.TES)
		if !tagged {
			continue
		}
		if _, err := e.book.Take(k, p.set.proposal(b.vn)); err != nil {
			v.refuse(b.key, tagReason(err))
			e.Log.WithField("vm", p.record.key.VM).WithError(err).Warn("no local tag")
		}
	}
	if len(v) > 0 {
		e.freeTags()
	}
	e.saveTags()
	return v
}

// checkTag is what speaks against a request's local tag: a proposal that no segment could follow, or that there is no VID.
func (e *Edge) checkTag(o *offer) evpn.Reason {
	k, tagged := e.tagOf(StationKey{o.vn.VNI, o.route.MAC}, o.vm.TES)
	if !tagged {
		if p := o.request.Proposal; p != nil && p.Type == evpn.TagDot1Q && p.VID > tag.Last {
			return evpn.InvalidVNMACOrTag
		}
		return evpn.ReasonNone
	}
	_, err := e.book.Check(k, o.proposal())
	return tagReason(err)
}

// tagReason is the reason for an error of the book.
func tagReason(err error) evpn.Reason {
	switch {
	case err == nil:
		return evpn.ReasonNone
	case errors.Is(err, tag.ErrInvalid):
		return evpn.InvalidVNMACOrTag
	}
	return evpn.NonSufficientResources
}

// proposal is the VID that a request proposes; 0: none. (VID 0 says just that in VDP, too.)
func (o *offer) proposal() uint16 {
	if p := o.request.Proposal; p != nil && p.Type == evpn.TagDot1Q {
		return p.VID
	}
	return 0
}

// proposal is the first VID that a set proposes for a VN.
func (s *set) proposal(v *vn) uint16 {
	if s == nil {
		return 0
	}
	for _, o := range s.offers {
		if o.vn == v && o.proposal() != 0 {
			return o.proposal()
		}
	}
	return 0
}

// hold makes the record one of those that hold the station.
func (e *Edge) hold(st *station, r *record) {
	if !has(st.records, r, compareRecords) {
		st.records = with(st.records, r, compareRecords)
		e.carry(st.vn, st.vn.portOf(r.key.TES, st.key.MAC), 1)
	}
}

// letGo makes it none of those.
func (e *Edge) letGo(st *station, r *record) {
	if has(st.records, r, compareRecords) {
		st.records = without(st.records, r, compareRecords)
		e.carry(st.vn, st.vn.portOf(r.key.TES, st.key.MAC), -1)
	}
}

// carry counts the (VN, MAC)s that are held behind a port; the VN is known there by its VID while there are any.
func (e *Edge) carry(v *vn, port string, n int) {
	if v.segmentOf(port) == "" {
		return
	}
	v.carried[port] += n
	switch {
	case n > 0 && v.carried[port] == n:
		e.setTag(v, port)
	case v.carried[port] == 0:
		delete(v.carried, port)
		e.Forwarder.Unset(tagKey(v, port))
		e.freeTags()
		e.saveTags()
	}
}

func tagKey(v *vn, port string) dataplane.Key {
	return dataplane.Key{Kind: dataplane.Tag, VNI: dataplane.VNI(v.VNI), Port: port}
}

// setTag has the kernel know a VN on a port by the VIDs in force.
func (e *Edge) setTag(v *vn, port string) (w written) {
	t, ok := e.book.Get(tag.Key{Segment: v.segmentOf(port), VNI: uint32(v.VNI)})
	if !ok || v.carried[port] == 0 {
		return w
	}
	w.key = tagKey(v, port)
	w.generation = e.Forwarder.Set(dataplane.Entry{Key: w.key, VIDs: dataplane.VIDs{Send: t.Sent, Also: t.Also()}})
	return w
}

// confirmTags has a procedure wait for the tags of its VNs.
func (e *Edge) confirmTags(p *procedure) {
	var done []dataplane.Key
	for _, b := range p.bindings {
		port := b.vn.portOf(p.record.key.TES, b.key.MAC)
		if key := tagKey(b.vn, port); b.vn.segmentOf(port) != "" && !slices.Contains(done, key) {
			done = append(done, key)
			e.await(p, e.setTag(b.vn, port))
		}
	}
}

// freeTags lets go of the Tags that no member has a use for. During the start those of before are kept for who comes back.
func (e *Edge) freeTags() {
	for _, k := range e.book.Held() {
		if !e.carries(k) && (e.completed || !e.expected(k)) {
			e.book.Free(k)
			e.timers.stop(e.tagTimers[k])
			delete(e.tagTimers, k)
			delete(e.tagTells, k)
		}
	}
}

// carries reports whether a VN has members on a segment.
func (e *Edge) carries(k tag.Key) bool {
	v := e.vns[evpn.VNI(k.VNI)]
	if v == nil {
		return false
	}
	for port := range v.carried {
		if v.segmentOf(port) == k.Segment {
			return true
		}
	}
	return false
}

// expected reports whether VMs of before may come back to a VN on a segment.
func (e *Edge) expected(k tag.Key) bool {
	for vm, stations := range e.memory.Told {
		for _, st := range stations {
			if of, ok := e.tagOf(st.StationKey, vm.TES); ok && of == k {
				return true
			}
		}
	}
	return false
}

// saveTags writes down what changed in the book.
func (e *Edge) saveTags() {
	for k, t := range e.book.Changes() {
		if t == nil {
			delete(e.memory.Tags, k)
		} else {
			e.memory.Tags[k] = *t
		}
		if e.Store != nil {
			e.Store.PutTag(k, t)
		}
	}
}

// retag begins a change of a VN's VID on a segment, or has it come next.
func (e *Edge) retag(k tag.Key, vid uint16) (tag.Tag, error) {
	before, _ := e.book.Get(k)
	t, err := e.book.Begin(k, vid, e.now)
	if err != nil {
		return t, err
	}
	e.tagChanged(k, before, t)
	return t, nil
}

// stepTag looks how far a change is, a moment later: more answers come with the first.
func (e *Edge) stepTag(k tag.Key) {
	if _, soon := e.tagSteps[k]; soon {
		return
	}
	e.tagSteps[k] = e.timers.after(e.now, stepPause, func() {
		delete(e.tagSteps, k)
		e.stepTagNow(k)
	})
}

// stepTagNow counts VMs that have not come back after a restart, too: what they were told and answered is remembered.
func (e *Edge) stepTagNow(k tag.Key) {
	for {
		before, ok := e.book.Get(k)
		if !ok || e.untaken(k, before) {
			return
		}
		t, changed := e.book.Step(k, e.now, e.tally(k))
		if !changed {
			return
		}
		e.tagChanged(k, before, t)
		if !t.Changing() {
			e.later(e.placeTags) // a VID is free that another may have waited for
		}
	}
}

// tagChanged draws the consequences of a Tag that is another now: the kernel first, which takes both VIDs before anybody is told of the new one.
func (e *Edge) tagChanged(k tag.Key, before, t tag.Tag) {
	v := e.vns[evpn.VNI(k.VNI)]
	var asked []written
	for _, port := range slices.Sorted(maps.Keys(v.carried)) {
		if v.segmentOf(port) == k.Segment {
			asked = append(asked, e.setTag(v, port))
		}
	}
	e.saveTags()
	e.armTag(k, t)
	detail := ""
	switch {
	case t.Changing() && !t.Second && t.Until != before.Until:
		e.stats.tagChanges++
		detail = fmt.Sprintf("VID on %s changes from %d to %d", k.Segment, before.Sent, t.VID)
	case t.Changing() && t.Second && !before.Second:
		detail = fmt.Sprintf("VID on %s: those that came meanwhile change to %d", k.Segment, t.VID)
	case t.Changing() && t.Next != before.Next:
		detail = fmt.Sprintf("VID on %s is to change to %d next", k.Segment, t.Next)
	case before.Changing() && !t.Changing() && t.Old != 0:
		detail = fmt.Sprintf("VID on %s is %d; %d is kept for VMs that could not apply it", k.Segment, t.VID, t.Old)
	case t.Old == 0 && before.Old != 0:
		detail = fmt.Sprintf("VID on %s is %d, %d is over", k.Segment, t.VID, before.Old)
	}
	if detail != "" {
		e.note(history.Event{Kind: history.KindTag, VNI: k.VNI, Detail: detail})
	}
	if t.Changing() && t.Until != before.Until {
		e.retellWhenTaken(k, asked)
	}
}

// armTag has a change end in time.
func (e *Edge) armTag(k tag.Key, t tag.Tag) {
	e.timers.stop(e.tagTimers[k])
	delete(e.tagTimers, k)
	if t.Changing() {
		e.tagTimers[k] = e.timers.after(e.now, max(t.Until.Sub(e.now), 0), func() {
			delete(e.tagTimers, k)
			e.stepTagNow(k)
		})
	}
}

// endTagStart lets go of the Tags that nobody came back for, and looks at the others again.
func (e *Edge) endTagStart() {
	for _, k := range keysOf(e.memory.Told, compareVMKeys) {
		if r := e.records[k]; r == nil || !r.alive() {
			e.untellAll(k)
		}
	}
	e.freeTags()
	e.saveTags()
	for _, k := range e.book.Held() {
		e.stepTag(k)
	}
}
