package tes

import (
	"fmt"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// TagApplier makes the hypervisor's switch use a local tag for a VM in a VN. ApplyTag must not block; it may be called again with the same
// tag. An error is told to the NVE, which then keeps the old tag in force as long as it does (SPEC §3 "NVE local change").
type TagApplier interface {
	ApplyTag(vm evpn.VMID, vn string, tag evpn.LocalTag) error
}

// takeTags takes over the local tags that the responses tell. A changed one is applied and answered by ECHO on the standing request, with
// its sequence: ECHO is no content (§3.3.9, SPEC §2).
func (c *core) takeTags(now time.Time, v *vm) {
	draft := v.VM
	draft.Tags = slices.Clone(v.Tags)
	var echoed []store.Route
	for _, told := range c.toldTags(v) {
		i := slices.IndexFunc(draft.Tags, func(t store.Tag) bool { return t.VN == told.VN })
		if i >= 0 && draft.Tags[i].LocalTag == told.LocalTag {
			continue
		}
		changed := told.Change != 0
		if i >= 0 {
			changed = told.Change != draft.Tags[i].Change
			told.Echo = draft.Tags[i].Echo
		} else {
			i, draft.Tags = len(draft.Tags), append(draft.Tags, store.Tag{})
		}
		err := c.applyTag(v, told.VN, told.LocalTag)
		if changed {
			told.Echo = &evpn.Echo{Change: told.Change, Failed: err != nil}
		}
		draft.Tags[i] = told
		c.tellTag(now, v, told.VN, told.LocalTag, err)
	}
	if slices.Equal(draft.Tags, v.Tags) {
		return
	}
	draft.Standing = slices.Clone(v.Standing)
	for i := range draft.Standing[:len(v.Current())] {
		r := &draft.Standing[i]
		if e := echo(draft.Tags, r.VN); e != r.Echo {
			r.Echo = e
			echoed = append(echoed, *r)
		}
	}
	if err := c.put(v, draft); err != nil {
		c.mend(now, v, err)
		return
	}
	c.announce(now, v, echoed)
}

// toldTags is the tag of each VN whose responses agree on one. They differ only while a change arrives route by route.
func (c *core) toldTags(v *vm) []store.Tag {
	var tags []store.Tag
	torn := map[string]bool{}
	for _, r := range v.Current() {
		said := c.responseTo(v.ID, v.NVE, r, false)
		if said == nil || said.said.Tag == nil {
			continue
		}
		i := slices.IndexFunc(tags, func(t store.Tag) bool { return t.VN == r.VN })
		switch {
		case i < 0:
			tags = append(tags, store.Tag{VN: r.VN, LocalTag: *said.said.Tag})
		case tags[i].LocalTag != *said.said.Tag:
			torn[r.VN] = true
		}
	}
	return slices.DeleteFunc(tags, func(t store.Tag) bool { return torn[t.VN] })
}

func (c *core) applyTag(v *vm, vn string, tag evpn.LocalTag) error {
	if c.cfg.Tags == nil {
		return nil
	}
	return c.cfg.Tags.ApplyTag(v.ID, vn, tag)
}

func (c *core) tellTag(now time.Time, v *vm, vn string, tag evpn.LocalTag, err error) {
	detail := "local tag: untagged"
	if tag.Type != 0 {
		detail = fmt.Sprintf("local tag: VID %d, PCP %d", tag.VID, tag.PCP)
	}
	detail += fmt.Sprintf(", change %d", tag.Change)
	if err != nil {
		detail += ", could not be applied: " + err.Error()
	}
	c.tell(v, history.Event{At: now, Kind: history.KindState, VN: vn, State: fmt.Sprint(v.Acked.State), Detail: detail})
}
