package tes

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// TagApplier makes the hypervisor's switch use a local tag for a MAC of a VM in a VN. ApplyTag does not block; it calls answer once, at once or later, from any goroutine.
// It may be called again with the same tag, as it is for all VMs at a start. An error is told to the NVE, which then keeps the old tag in force
// as long as it does (SPEC §3 "NVE local change").
//
// EndTag says that the MAC has its tag no more: the VM has ended, or has the MAC in the VN no more. It does not block. It is not said again after a crash.
type TagApplier interface {
	ApplyTag(vm evpn.VMID, vn string, mac evpn.MAC, tag evpn.LocalTag, answer func(error))
	EndTag(vm evpn.VMID, vn string, mac evpn.MAC, tag evpn.LocalTag)
}

// takeTags takes over the local tags that the responses tell, and has those that changed applied.
func (c *core) takeTags(now time.Time, v *vm) {
	draft := v.VM
	draft.Tags = slices.Clone(v.Tags)
	var changed []store.Tag
	for _, told := range c.toldTags(v) {
		i := slices.IndexFunc(draft.Tags, func(t store.Tag) bool { return t.VN == told.VN && t.MAC == told.MAC })
		switch {
		case i < 0:
			draft.Tags = append(draft.Tags, told)
		case draft.Tags[i].LocalTag == told.LocalTag:
			continue
		default:
			told.Echo = draft.Tags[i].Echo
			draft.Tags[i] = told
		}
		changed = append(changed, told)
	}
	if len(changed) == 0 {
		return
	}
	if err := c.put(v, draft); err != nil {
		c.mend(now, v, err)
		return
	}
	for _, t := range changed {
		c.applyTag(now, v.ID, t)
	}
}

// toldTags is the tag of each (VN, MAC) whose responses agree on one. They differ only while a change arrives route by route.
func (c *core) toldTags(v *vm) []store.Tag {
	var tags []store.Tag
	type place struct {
		vn  string
		mac evpn.MAC
	}
	torn := map[place]bool{}
	for _, r := range v.Current() {
		said := c.responseTo(v.ID, v.NVE, r, false)
		if said == nil || said.said.Tag == nil {
			continue
		}
		i := slices.IndexFunc(tags, func(t store.Tag) bool { return t.VN == r.VN && t.MAC == r.MAC })
		switch {
		case i < 0:
			tags = append(tags, store.Tag{VN: r.VN, MAC: r.MAC, LocalTag: *said.said.Tag})
		case tags[i].LocalTag != *said.said.Tag:
			torn[place{r.VN, r.MAC}] = true
		}
	}
	return slices.DeleteFunc(tags, func(t store.Tag) bool { return torn[place{t.VN, t.MAC}] })
}

// applyTag hands a tag to the applier, whose answer comes back as an input, or at once.
func (c *core) applyTag(now time.Time, id evpn.VMID, t store.Tag) {
	done := applied{VM: id, VN: t.VN, MAC: t.MAC, Tag: t.LocalTag}
	if c.cfg.Tags == nil {
		c.tagApplied(now, done)
		return
	}
	var mu sync.Mutex
	var answered, later bool
	c.cfg.Tags.ApplyTag(id, t.VN, t.MAC, t.LocalTag, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		done.Err = err
		if answered = true; later {
			c.post(done)
		}
	})
	mu.Lock()
	later = true
	at := answered
	mu.Unlock()
	if at {
		c.tagApplied(now, done)
	}
}

// endTags ends the tags that a VM had and has not any more.
func (c *core) endTags(id evpn.VMID, before, now []store.Tag) {
	if c.cfg.Tags == nil {
		return
	}
	for _, t := range before {
		if !slices.ContainsFunc(now, func(o store.Tag) bool { return o.VN == t.VN && o.MAC == t.MAC }) {
			c.cfg.Tags.EndTag(id, t.VN, t.MAC, t.LocalTag)
		}
	}
}

// tagsOf is the tags of the (VN, MAC)s that are among the routes.
func tagsOf(tags []store.Tag, routes []store.Route) []store.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t store.Tag) bool {
		return !slices.ContainsFunc(routes, func(r store.Route) bool { return r.VN == t.VN && r.MAC == t.MAC })
	})
}

// applyAll has every tag applied again: at a start, and when asked for.
func (c *core) applyAll(now time.Time) {
	for _, v := range c.sorted() {
		for _, t := range slices.Clone(v.Tags) {
			c.applyTag(now, v.ID, t)
		}
	}
}

// tagApplied answers a changed tag by ECHO on the standing request, with its sequence: ECHO is no content (§3.3.9, SPEC §2). Nobody answers to what was told first.
func (c *core) tagApplied(now time.Time, a applied) {
	v := c.vms[a.VM]
	if v == nil {
		return
	}
	i := slices.IndexFunc(v.Tags, func(t store.Tag) bool { return t.VN == a.VN && t.MAC == a.MAC && t.LocalTag == a.Tag })
	if i < 0 {
		return // it is another one by now
	}
	failed := a.Err != nil
	before := v.Tags[i]
	if before.Applied && !failed {
		return // again, as it was
	}
	draft := v.VM
	draft.Tags = slices.Clone(v.Tags)
	t := &draft.Tags[i]
	t.Applied = !failed
	if a.Tag.Change != 0 {
		t.Echo = &evpn.Echo{Change: a.Tag.Change, Failed: failed}
	}
	var echoed []store.Route
	draft.Standing = slices.Clone(v.Standing)
	for i := range draft.Standing[:len(v.Current())] {
		r := &draft.Standing[i]
		if e := echo(draft.Tags, r.VN, r.MAC); !sameEcho(e, r.Echo) {
			r.Echo = e
			echoed = append(echoed, *r)
		}
	}
	c.tellTag(now, v, a)
	if err := c.put(v, draft); err != nil {
		c.mend(now, v, err)
		return
	}
	c.announce(now, v, echoed)
}

func sameEcho(a, b *evpn.Echo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func (c *core) tellTag(now time.Time, v *vm, a applied) {
	detail := "local tag: untagged"
	if a.Tag.Type != 0 {
		detail = fmt.Sprintf("local tag: VID %d, PCP %d", a.Tag.VID, a.Tag.PCP)
	}
	detail += fmt.Sprintf(", change %d", a.Tag.Change)
	kind := history.KindTag
	if a.Err != nil {
		c.stats.TagsFailed++
		kind = history.KindAlarm
		detail += ", could not be applied: " + a.Err.Error()
		c.logger.WithField("vm", v.ID).WithField("vn", a.VN).WithError(a.Err).Warn("the local tag could not be applied")
	}
	c.tell(v, history.Event{At: now, Kind: kind, VN: a.VN, MAC: a.MAC.String(), State: fmt.Sprint(v.Acked.State), Detail: detail})
}
