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

// tagging is a VM with the tags that its responses tell now, and with what the applier has answered to those that changed.
type tagging struct {
	store.VM
	changed bool
	applied []applied
	echoed  []store.Route // of VM.Standing, with another ECHO than they are announced with
}

// tagging is the VM with what the applier was told and has answered, be it on disk or refused by that.
func (v *vm) tagging() tagging {
	t := tagging{VM: v.VM}
	if g := v.given; g != nil {
		t.Tags, t.applied, t.changed = g.Tags, slices.Clip(g.applied), true
		t.echo()
	}
	return t
}

// give notes tags that the applier has and the disk does not take: they are not applied again for that, and end with the VM.
func (v *vm) give(t tagging) {
	if t.changed {
		v.given = &t
	}
}

// takeTags has the tags applied that the responses tell and the VM has not. Nothing of it is on disk.
func (c *core) takeTags(v *vm) tagging {
	t := v.tagging()
	for _, told := range c.toldTags(v) {
		i := slices.IndexFunc(t.Tags, func(o store.Tag) bool { return o.VN == told.VN && o.MAC == told.MAC })
		if i >= 0 && t.Tags[i].LocalTag == told.LocalTag {
			continue
		}
		t.Tags = slices.Clone(t.Tags)
		if i < 0 {
			t.Tags = append(t.Tags, told)
		} else {
			told.Echo = t.Tags[i].Echo
			t.Tags[i] = told
		}
		t.changed = true
		if answer, at := c.applyTag(v.ID, told); at {
			t.answer(answer)
		}
	}
	return t
}

// answer answers a changed tag by ECHO on the standing request, with its sequence: ECHO is no content (§3.3.9, SPEC §2). Nobody answers to what was told first.
// It returns false where there is nothing to answer.
func (t *tagging) answer(a applied) bool {
	i := slices.IndexFunc(t.Tags, func(o store.Tag) bool { return o.VN == a.VN && o.MAC == a.MAC && o.LocalTag == a.Tag })
	if i < 0 {
		return false // it is another one by now
	}
	failed := a.Err != nil
	if t.Tags[i].Applied && !failed {
		return false // again, as it was
	}
	t.Tags = slices.Clone(t.Tags)
	t.Tags[i].Applied = !failed
	if a.Tag.Change != 0 {
		t.Tags[i].Echo = &evpn.Echo{Change: a.Tag.Change, Failed: failed}
	}
	t.echo()
	t.applied, t.changed = append(t.applied, a), true
	return true
}

// echo has the request carry the ECHOs of the tags.
func (t *tagging) echo() {
	t.Standing = slices.Clone(t.Standing)
	for i := range t.Current() {
		r := &t.Standing[i]
		if e := echo(t.Tags, r.VN, r.MAC); !sameEcho(e, r.Echo) {
			r.Echo = e
			t.echoed = append(t.echoed, *r)
		}
	}
}

// putTags makes it the VM's state, on disk first, and tells of it.
func (c *core) putTags(now time.Time, v *vm, t tagging) error {
	if err := c.put(v, t.VM); err != nil {
		v.give(t)
		return err
	}
	v.given = nil
	c.sayTags(now, v, t)
	return nil
}

// sayTags tells of tags that are on disk.
func (c *core) sayTags(now time.Time, v *vm, t tagging) {
	for _, a := range t.applied {
		c.tellTag(now, v, a)
	}
	c.announce(now, v, t.echoed)
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

// applyTag hands a tag to the applier. What it answers at once is returned; what it answers later comes as an input.
func (c *core) applyTag(id evpn.VMID, t store.Tag) (answer applied, at bool) {
	done := applied{VM: id, VN: t.VN, MAC: t.MAC, Tag: t.LocalTag}
	if c.cfg.Tags == nil {
		return done, true
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
	defer mu.Unlock()
	later = true
	return done, answered
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
			if answer, at := c.applyTag(v.ID, t); at {
				c.tagApplied(now, answer)
			}
		}
	}
}

// tagApplied takes in what the applier answers.
func (c *core) tagApplied(now time.Time, a applied) {
	v := c.vms[a.VM]
	if v == nil {
		return
	}
	t := v.tagging()
	if !t.answer(a) {
		return
	}
	if err := c.putTags(now, v, t); err != nil {
		c.mend(now, v, err)
	}
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
