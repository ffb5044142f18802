package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/quota"
)

const limited = `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
tes:
  - {address: 198.51.100.11}
vns:
  - {name: blue, vni: 10100, tenant: acme, max_vms: 5, max_vms_per_tes: 4, max_macs: 3}
  - {name: red, vni: 10200}
ports:
  - {port: eth1, vn: blue, tes: [198.51.100.11], bandwidth: 10Gbit}
  - {port: eth2, mode: dot1q, vns: [red], tes: [198.51.100.11], vids: [100-109, 200]}
quotas:
  max_vms_per_tes: 2
  tenants: [{name: acme, max_macs: 6}]
  acl_rules: 7
state: /var/lib/tns/nved.db
`

// used is what VMs have reserved.
var used = []quota.Usage{
	{Account: quota.Account{Resource: quota.VMs, TES: 0xc633640b}, Used: 1, Limit: 2},
	{Account: quota.Account{Resource: quota.VMs, VN: "blue", TES: 0xc633640b}, Used: 1, Limit: 4},
	{Account: quota.Account{Resource: quota.VMs, VN: "blue"}, Used: 1, Limit: 5},
	{Account: quota.Account{Resource: quota.VMs, VN: "red"}, Used: 9},
	{Account: quota.Account{Resource: quota.MACs, Tenant: "acme"}, Used: 2, Limit: 6},
	{Account: quota.Account{Resource: quota.MACs, Tenant: "other"}, Used: 2, Limit: 6},
}

// Each limit of the file is one of the edge's.
func TestQuotasAreAsConfigured(t *testing.T) {
	e := edgeConfig(load(t, limited))
	want := nve.Quotas{VMsPerTES: 2, ACLRules: 7, Tenants: map[string]uint64{"acme": 6}}
	if diff := cmp.Diff(want, e.Quotas); diff != "" {
		t.Errorf("quotas (-want +got):\n%s", diff)
	}
	if v := e.VNs[0]; v.Tenant != "acme" || v.MaxVMs != 5 || v.MaxVMsPerTES != 4 || v.MaxMACs != 3 || v.Ports[0].Bandwidth != 10e9 || v.Ports[0].VIDs != 0 {
		t.Errorf("VN blue is %+v", v)
	}
	if v := e.VNs[1]; v.Tenant != "" || v.MaxVMs+v.MaxVMsPerTES+v.MaxMACs != 0 || v.Ports[0].VIDs != 11 {
		t.Errorf("VN red, which has no limit, is %+v", v)
	}
}

// A VN shows what is reserved of it and of its tenant, and nothing of others.
func TestReservationsAreShown(t *testing.T) {
	b := &backend{config: load(t, limited)}
	got := b.viewNetwork(nve.VNView{Name: "blue", VNI: 10100}, used)
	want := []*tnsv1.Reservation{
		{Resource: "vms", Tes: "198.51.100.11", Used: 1, Limit: 4}, {Resource: "vms", Used: 1, Limit: 5}, {Resource: "macs", Tenant: "acme", Used: 2, Limit: 6},
	}
	if diff := cmp.Diff(want, got.Reservations, protocmp.Transform()); diff != "" || got.Tenant != "acme" {
		t.Errorf("tenant %q, reservations (-want +got):\n%s", got.Tenant, diff)
	}
}

func TestReservationsAreCounted(t *testing.T) {
	figures := edgeFigures(nve.Stats{Used: used, Records: map[evpn.State]int{}})
	find := func(name, vn string) (values []float64) {
		for _, f := range figures {
			if f.Name == name && slices.Contains(f.Labels, metrics.Label{Name: "vn", Value: vn}) && slices.Contains(f.Labels, metrics.Label{Name: "tes", Value: ""}) {
				values = append(values, f.Value)
			}
		}
		return values
	}
	if got := find("nve_reserved", "blue"); !slices.Equal(got, []float64{1}) {
		t.Errorf("reserved in blue: %v", got)
	}
	if got := find("nve_reservable", "blue"); !slices.Equal(got, []float64{5}) {
		t.Errorf("the limit of blue: %v", got)
	}
	if got := find("nve_reservable", "red"); len(got) != 0 {
		t.Errorf("red, without a limit, has %v", got)
	}
}
