package nve

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tag"
)

func (w *world) retag(vn, port string, vid uint16) {
	w.turn(func() {
		v := w.edge.vns[vnis[vn]]
		k := tag.Key{Segment: v.segmentOf(port), VNI: uint32(v.VNI)}
		if _, err := w.edge.retag(k, vid); err != nil {
			w.say("retag: %v", err)
			return
		}
		w.edge.stepTag(k)
	})
}

// echo is the same requests as they stand, with ECHO.
func (w *world) echo(tes, vmid, what string, opts map[string]string) {
	change, result, _ := strings.Cut(what, ":")
	n, _ := strconv.Atoi(change)
	set := w.sets[tes+" "+vmid]
	for i, r := range set.routes {
		if vn := opts["vn"]; vn != "" && r.Label != vnis[vn] {
			continue
		}
		q, _ := evpn.DecodeRequest(r.Communities)
		q.Echo = &evpn.Echo{Change: uint8(n), Failed: result == "failed"}
		r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
		set.routes[i] = r
		w.hear(w.via(tes, opts), r)
	}
}

// find puts what the kernel holds into the configuration, as the command does.
func (w *world) find() {
	w.config.Segments = slices.Clone(w.config.Segments)
	for i := range w.config.Segments {
		s := &w.config.Segments[i]
		s.Found = map[evpn.VNI]dataplane.VIDs{}
		for _, v := range w.config.VNs {
			for _, p := range v.Ports {
				key := dataplane.Key{Kind: dataplane.Tag, VNI: dataplane.VNI(v.VNI), Port: p.Name}
				if entry, ok := w.kernel.entries[key]; ok && p.Segment == s.Name {
					s.Found[v.VNI] = entry.VIDs
				}
			}
		}
	}
}

// fix changes the configuration, which another edge may have, too.
func (w *world) fix(segment, vn, vid string) {
	n, _ := strconv.Atoi(vid)
	w.config.Segments = slices.Clone(w.config.Segments)
	for i := range w.config.Segments {
		s := &w.config.Segments[i]
		if s.Name != segment {
			continue
		}
		s.Fixed = maps.Clone(s.Fixed)
		if s.Fixed == nil {
			s.Fixed = map[evpn.VNI]uint16{}
		}
		s.Fixed[vnis[vn]] = uint16(n)
		if n == 0 {
			delete(s.Fixed, vnis[vn])
		}
	}
}

// tagged holds the VIDs that the kernel is asked for, what VMs were told and what is on disk against each other.
func (w *world) tagged(fail func(string, ...any)) {
	w.t.Helper()
	e := w.edge
	members := map[dataplane.Key]int{}
	for _, r := range e.records {
		in := map[StationKey]bool{}
		for _, b := range r.bindings {
			if port := b.vn.portOf(r.key.TES, b.key.MAC); b.vn.segmentOf(port) != "" && !in[b.station()] {
				members[tagKey(b.vn, port)]++
			}
			in[b.station()] = true
			k, isTagged := e.tagOf(b.station(), r.key.TES)
			told, known := e.memory.Told[r.key].Get(b.station())
			if o := r.offers.get(b.key); o != nil && o.told && o.stands.state.Alive() && !known {
				fail("%v: it was told no tag for %v", r.key, b.station())
			}
			if !isTagged || !known {
				continue
			}
			t, ok := e.book.Get(k)
			if !ok || !e.book.IsHeld(k) {
				fail("%v: %v has no VID on %s", r.key, b.station(), k.Segment)
			}
			if told.Answer != TagFailed && told.VID != t.VID && told.VID != t.Old {
				fail("%v: it was told %+v for %v, and the VN has %+v", r.key, told, b.station(), t)
			}
		}
		for _, st := range e.memory.Told[r.key] {
			if !r.holds(st.StationKey) && r.State.Alive() {
				fail("%v: it was told a tag for %v, which it does not hold", r.key, st)
			}
		}
	}
	vids := map[string]evpn.VNI{}
	for k, entry := range w.kernel.asked {
		if k.Kind != dataplane.Tag {
			continue
		}
		if members[k] == 0 {
			fail("%v has no members", k)
		}
		v := e.vns[evpn.VNI(k.VNI)]
		if v.carried[k.Port] != members[k] {
			fail("%v has %d members, %d are counted", k, members[k], v.carried[k.Port])
		}
		delete(members, k)
		t, _ := e.book.Get(tag.Key{Segment: v.segmentOf(k.Port), VNI: uint32(k.VNI)})
		if entry.VIDs != (dataplane.VIDs{Send: t.Sent, Also: t.Also()}) {
			fail("%v is asked for as %v, the VN has %+v", k, entry.VIDs, t)
		}
		for _, vid := range []uint16{entry.VIDs.Send, entry.VIDs.Also} {
			name := v.segmentOf(k.Port) + " " + strconv.Itoa(int(vid))
			if other, taken := vids[name]; vid != 0 && taken && other != v.VNI {
				fail("VID %d on %s is that of %d and %d", vid, k.Port, other, v.VNI)
			}
			vids[name] = v.VNI
		}
	}
	if len(members) > 0 {
		fail("no tag is asked for for %v", members)
	}
	if !maps.Equal(e.memory.Tags, w.disk.m.Tags) {
		fail("the tags are %v, on disk %v", e.memory.Tags, w.disk.m.Tags)
	}
	if !maps.EqualFunc(e.memory.Told, w.disk.m.Told, func(a, b ByStation[Told]) bool { return slices.Equal(a, b) }) {
		fail("what VMs were told is %v, on disk %v", e.memory.Told, w.disk.m.Told)
	}
	for _, k := range e.book.Held() {
		if e.completed && !e.carries(k) {
			fail("%v is held for nobody", k)
		}
	}
}
