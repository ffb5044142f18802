package main

import (
	"context"
	"slices"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
)

// ListFDB is the forwarding table as it should be, then the MACs that are frozen as duplicates.
func (b *backend) ListFDB(ctx context.Context, q *tnsv1.ListFDBRequest) (*tnsv1.ListFDBResponse, error) {
	only := evpn.VNI(0)
	if q.Vn != nil {
		v, err := b.find(q.Vn)
		if err != nil {
			return nil, err
		}
		only = v.VNI
	}
	s, err := b.edge.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	r := &tnsv1.ListFDBResponse{}
	for _, e := range slices.Concat(b.table.Table(), b.closed()) {
		if e.Kind != dataplane.Policy && e.Kind != dataplane.Tag && (only == 0 || evpn.VNI(e.VNI) == only) {
			r.Entries = append(r.Entries, b.viewEntry(e))
		}
	}
	for _, st := range s.FDB {
		if st.Duplicate && (only == 0 || st.VNI == only) {
			r.Entries = append(r.Entries, &tnsv1.FDBEntry{
				Vn: st.VN, Vni: uint32(st.VNI), Kind: tnsv1.FDBEntry_KIND_REMOTE, Mac: st.MAC.String(), Vtep: api.Addr(st.VTEP),
				State: tnsv1.FDBEntry_STATE_DUPLICATE,
			})
		}
	}
	return r, nil
}

// closed is the ports that no VM is active behind. What is sent there all the same is dropped and counted, and people want to see it.
func (b *backend) closed() []dataplane.Status {
	open := map[dataplane.Key]bool{}
	for _, e := range b.table.Table() {
		if e.Kind == dataplane.Port {
			open[e.Key] = true
		}
	}
	drops := b.table.Drops()
	var all []dataplane.Status
	for _, v := range b.config.VNs {
		for _, p := range b.config.Ports {
			k := dataplane.Key{Kind: dataplane.Port, VNI: dataplane.VNI(v.VNI), Port: p.Name}
			if _, on := p.VN(v.Name); on && !open[k] {
				all = append(all, dataplane.Status{Entry: dataplane.Entry{Key: k}, InKernel: true, Drops: drops[k]})
			}
		}
	}
	return all
}

func (b *backend) viewEntry(e dataplane.Status) *tnsv1.FDBEntry {
	view := &tnsv1.FDBEntry{Vni: uint32(e.VNI), Error: e.Err, State: tnsv1.FDBEntry_STATE_PENDING}
	if v, ok := b.network(evpn.VNI(e.VNI)); ok {
		view.Vn = v.Name
	}
	switch {
	case e.Err != "":
		view.State = tnsv1.FDBEntry_STATE_FAILED
	case e.InKernel:
		view.State = tnsv1.FDBEntry_STATE_INSTALLED
	}
	switch e.Kind {
	case dataplane.Unicast:
		view.Kind, view.Mac, view.Port = tnsv1.FDBEntry_KIND_LOCAL, evpn.MAC(e.MAC).String(), e.LocalPort
		if e.VTEP.IsValid() {
			view.Kind, view.Vtep = tnsv1.FDBEntry_KIND_REMOTE, e.VTEP.String()
		}
	case dataplane.Flood:
		view.Kind, view.Vtep = tnsv1.FDBEntry_KIND_FLOOD, api.Addr(e.IP)
	case dataplane.Neighbor:
		view.Kind, view.Ip, view.Mac = tnsv1.FDBEntry_KIND_NEIGHBOR, api.Addr(e.IP), evpn.MAC(e.LinkAddr).String()
	case dataplane.Port:
		view.Kind, view.Port, view.Open, view.Drops = tnsv1.FDBEntry_KIND_PORT, e.Key.Port, e.Open, e.Drops
	}
	return view
}

func (b *backend) ClearDuplicate(ctx context.Context, q *tnsv1.ClearDuplicateRequest) (*tnsv1.ClearDuplicateResponse, error) {
	v, err := b.find(q.Vn)
	if err != nil {
		return nil, err
	}
	mac, err := api.MAC(q.Mac)
	if err != nil {
		return nil, err
	}
	cleared, err := b.edge.ClearDuplicate(ctx, v.VNI, mac)
	return &tnsv1.ClearDuplicateResponse{Cleared: cleared}, err
}
