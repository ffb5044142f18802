package nve

import (
	"context"
	"errors"
	"fmt"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tag"
)

// TagView is how a VN is known on a segment.
type TagView struct {
	Segment string
	Ports   []string // of the segment, in the VN
	tag.Tag
	tag.Tally
}

// ErrNotTagged is what Retag says of a port on which the VN bears no VID.
var ErrNotTagged = errors.New("frames of the VN bear no VID there")

// Retag changes the VID of a VN on the segment of a port (SPEC §3, NVE local change); 0: to another one that is free. While a change goes on, it comes next. It does
// not wait for TESs. The error is ErrNotTagged or one of package tag.
func (e *Edge) Retag(ctx context.Context, vni evpn.VNI, port string, vid uint16) (view TagView, err error) {
	asked := e.ask(ctx, func() {
		v := e.vns[vni]
		if v == nil || v.segmentOf(port) == "" {
			err = ErrNotTagged
			return
		}
		k := tag.Key{Segment: v.segmentOf(port), VNI: uint32(vni)}
		if _, err = e.retag(k, vid); err == nil {
			e.stepTag(k) // there may be nobody to wait for
			view = e.viewTag(v, k.Segment)
		}
	})
	if err != nil {
		err = fmt.Errorf("change the VID of VN %d on %s: %w", vni, port, err)
	}
	return view, errors.Join(asked, err)
}

// viewTags is how a VN is known on its segments.
func (e *Edge) viewTags(v *vn) (all []TagView) {
	seen := map[string]bool{"": true}
	for _, p := range v.Ports {
		if !seen[p.Segment] {
			seen[p.Segment] = true
			if e.book.IsHeld(tag.Key{Segment: p.Segment, VNI: uint32(v.VNI)}) {
				all = append(all, e.viewTag(v, p.Segment))
			}
		}
	}
	return all
}

func (e *Edge) viewTag(v *vn, segment string) TagView {
	k := tag.Key{Segment: segment, VNI: uint32(v.VNI)}
	view := TagView{Segment: segment, Tally: e.tally(k)}
	view.Tag, _ = e.book.Get(k)
	for _, p := range v.Ports {
		if p.Segment == segment {
			view.Ports = append(view.Ports, p.Name)
		}
	}
	return view
}
