package main

import (
	"context"
	"fmt"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/quota"
)

func (b *backend) ListVNs(ctx context.Context, _ *tnsv1.ListVNsRequest) (*tnsv1.ListVNsResponse, error) {
	s, err := b.edge.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	r := &tnsv1.ListVNsResponse{}
	for _, v := range s.VNs {
		r.Networks = append(r.Networks, b.viewNetwork(v, s.Used))
	}
	api.SortNetworks(r.Networks)
	return r, nil
}

// DrainVN implements tnsv1.ControlServer.
func (b *backend) DrainVN(ctx context.Context, q *tnsv1.DrainVNRequest) (*tnsv1.DrainVNResponse, error) {
	v, err := b.find(q.Vn)
	if err != nil {
		return nil, err
	}
	left, _, err := b.edge.Drain(ctx, v.VNI, !q.Undo)
	r := &tnsv1.DrainVNResponse{Vn: v.Name, Vni: uint32(v.VNI), Draining: !q.Undo}
	for _, vm := range left {
		r.Left = append(r.Left, viewVM(b.config.ID, vm))
	}
	return r, err
}

func (b *backend) viewNetwork(v nve.VNView, used []quota.Usage) *tnsv1.Network {
	n := &tnsv1.Network{Name: v.Name, Vni: uint32(v.VNI), Nve: b.config.ID.String(), Vms: uint32(v.Members), Active: uint32(v.Active), Draining: v.Draining}
	for _, p := range v.Ports {
		n.Ports = append(n.Ports, p.Name)
	}
	for _, t := range v.Tags {
		n.Tags = append(n.Tags, viewTag(t))
	}
	for _, vtep := range v.Flood {
		n.FloodList = append(n.FloodList, vtep.String())
	}
	if c, ok := b.network(v.VNI); ok {
		n.Bridge, n.Vxlan, n.Imports, n.Exports = c.Bridge, c.VXLAN, imports(c), targets(exports(b.config, c))
		n.Tenant = c.Tenant
	}
	for _, u := range used {
		if u.VN == n.Name || u.Tenant != "" && u.Tenant == n.Tenant {
			n.Reservations = append(n.Reservations, &tnsv1.Reservation{Resource: resourceWords[u.Resource], Tes: tesOf(u.Account), Tenant: u.Tenant, Used: u.Used, Limit: u.Limit})
		}
	}
	return n
}

// network is a VN of the configuration.
func (b *backend) network(vni evpn.VNI) (config.VN, bool) {
	for _, v := range b.config.VNs {
		if v.VNI == vni {
			return v, true
		}
	}
	return config.VN{}, false
}

// find is the VN of a question.
func (b *backend) find(q *tnsv1.VN) (config.VN, error) {
	for _, v := range b.config.VNs {
		if v.Name == q.GetName() || q.GetVni() != 0 && uint32(v.VNI) == q.GetVni() {
			return v, nil
		}
	}
	if q.GetVni() != 0 {
		return config.VN{}, control.Errorf(control.ErrNotFound, "VN %d is not configured here", q.GetVni())
	}
	return config.VN{}, control.Errorf(control.ErrNotFound, "VN %q is not configured here", q.GetName())
}

// imports is what a VN imports, for people: without a list of its own, its VNI from any AS.
func imports(v config.VN) []string {
	if len(v.Import) == 0 {
		return []string{fmt.Sprintf("*:%d", v.VNI)}
	}
	return targets(v.Import)
}

func targets(list []evpn.RouteTarget) []string {
	var words []string
	for _, rt := range list {
		words = append(words, rt.String())
	}
	return words
}

// resourceWords is what a resource is called in JSON and in labels.
var resourceWords = map[quota.Resource]string{
	quota.VMs:       "vms",
	quota.MACs:      "macs",
	quota.ACLRules:  "acl_rules",
	quota.VIDs:      "vids",
	quota.Bandwidth: "guaranteed_bits_per_second",
}

// tesOf is the TES whose account it is, if it is one's.
func tesOf(a quota.Account) string {
	if a.TES == 0 {
		return ""
	}
	return evpn.RouterID(a.TES).String()
}
