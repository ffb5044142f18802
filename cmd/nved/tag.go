package main

import (
	"context"
	"errors"
	"slices"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/tag"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	tags "github.com/tns-project/tns/lifecycle/tag"
)

// segments is what VIDs are unique on, with what the kernel holds of a run before.
func segments(c *config.NVE, found []tag.Attachment) []nve.Segment {
	var all []nve.Segment
	for _, p := range c.Ports {
		if p.Segment == "" {
			continue
		}
		i := slices.IndexFunc(all, func(s nve.Segment) bool { return s.Name == p.Segment })
		if i < 0 {
			i = len(all)
			all = append(all, nve.Segment{Name: p.Segment, Fixed: map[evpn.VNI]uint16{}, Found: map[evpn.VNI]dataplane.VIDs{}})
			for _, r := range p.VIDs {
				all[i].VIDs = append(all[i].VIDs, tags.Range(r))
			}
		}
		for _, v := range c.VNs {
			if on, ok := p.VN(v.Name); ok && on.VID != 0 {
				all[i].Fixed[v.VNI] = on.VID
			}
		}
		for _, a := range found {
			if a.Port == p.Name {
				all[i].Found[evpn.VNI(a.VNI)] = a.VIDs
			}
		}
	}
	return all
}

// RetagVN changes the VID of a VN on a port's segment.
func (b *backend) RetagVN(ctx context.Context, q *tnsv1.RetagVNRequest) (*tnsv1.RetagVNResponse, error) {
	v, err := b.find(q.Vn)
	if err != nil {
		return nil, err
	}
	if q.Vid > tags.Last {
		return nil, control.Errorf(control.ErrInvalid, "VID %d: want %d to %d", q.Vid, tags.First, tags.Last)
	}
	view, err := b.edge.Retag(ctx, v.VNI, q.Port, uint16(q.Vid))
	switch {
	case errors.Is(err, nve.ErrNotTagged):
		return nil, control.Errorf(control.ErrNotFound, "%v", err)
	case errors.Is(err, tags.ErrUnknown):
		return nil, control.Errorf(control.ErrNotFound, "%v: no VM of the VN is behind it", err)
	case errors.Is(err, tags.ErrExhausted), errors.Is(err, tags.ErrTaken), errors.Is(err, tags.ErrForbidden), errors.Is(err, tags.ErrFixed), errors.Is(err, tags.ErrInvalid):
		return nil, control.Errorf(control.ErrRefused, "%v", err)
	case err != nil:
		return nil, err
	}
	return &tnsv1.RetagVNResponse{Tag: viewTag(view)}, nil
}

func viewTag(t nve.TagView) *tnsv1.NetworkTag {
	return &tnsv1.NetworkTag{
		Segment: t.Segment, Ports: t.Ports, Vid: uint32(t.VID), Sent: uint32(t.Sent), Also: uint32(t.Also()), Next: uint32(t.Next), Changing: t.Changing(),
		Applied: uint32(t.Applied), Waiting: uint32(t.Waiting + t.Tally.Old), Failed: uint32(t.Failed),
	}
}

// tagOf is what a VM was told; nil is nothing.
func tagOf(t *nve.Told) *tnsv1.Tag {
	if t == nil {
		return nil
	}
	view := api.Tag(t.LocalTag)
	view.Answer = t.Word()
	return view
}
