package labs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
)

// TestContest lets TESs ask for a MAC that another has. Each is answered for itself, none disturbs the other's request, and
// the fabric tells of one edge at a time.
func TestContest(t *testing.T) {
	const tes3 = "198.51.100.13"
	l := deploy(t, "demo/topology.clab.yml")
	l.established("edge1", 3)
	l.established("edge2", 2)
	rr := frr.Router{Lab: l.Lab, Node: "rr"}
	if err := rr.WaitSessions(l.ctx, patience, "192.0.2.1", "192.0.2.2", "192.0.2.3"); err != nil {
		t.Fatal(err)
	}
	holder := newVM(1)
	l.does("tes1", "associate", holder.id, "--nic", holder.nic)
	l.knows("vtep", holder.mac, fdb.To(edge1))
	bystander := newVM(9) // keeps edge2 a member of the VN
	l.does("tes3", "associate", bystander.id, "--nic", bystander.nic)
	before := l.routesOf(rr, holder)

	t.Run("another VM at the same edge is refused", func(t *testing.T) {
		l := l.in(t)
		rival := newVM(2).id
		r := l.try("tes2", "associate", rival, "--nic", holder.nic)
		if r.Status != "fail" || r.ReasonCode != 14 {
			t.Errorf("the second to ask got %+v, want fail with reason 14", r)
		}
		l.stands("edge1", holder.id, tes1, "associated", "")
		l.keeps("vtep", holder.mac, fdb.To(edge1))
		l.try("tes2", "terminate", rival)
		l.keeps("vtep", holder.mac, fdb.To(edge1))
		if after := l.routesOf(rr, holder); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("FRR's routes have changed from %v to %v", before, after)
		}
	})
	t.Run("the same VM at the same edge, without an immigration, is refused", func(t *testing.T) {
		l := l.in(t)
		r := l.try("tes2", "associate", holder.id, "--nic", holder.nic)
		if r.Status != "fail" || r.ReasonCode != 14 {
			t.Errorf("the second to ask got %+v, want fail with reason 14", r)
		}
		l.stands("edge1", holder.id, tes1, "associated", "")
		l.try("tes2", "terminate", holder.id)
		l.keeps("vtep", holder.mac, fdb.To(edge1))
		if after := l.routesOf(rr, holder); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("FRR's routes have changed from %v to %v", before, after)
		}
	})
	t.Run("another VM at another edge outranks it, and gives it back when it goes", func(t *testing.T) {
		l := l.in(t)
		rival := newVM(3).id
		l.does("tes3", "associate", rival, "--nic", holder.nic)
		l.knows("vtep", holder.mac, fdb.To(edge2))
		l.stands("edge1", holder.id, tes1, "emigrating", "outranked")
		l.stands("edge2", rival, tes3, "associated", "")
		l.does("tes3", "terminate", rival)
		l.stands("edge1", holder.id, tes1, "associated", "")
		l.knows("vtep", holder.mac, fdb.To(edge1))
		l.knows("edge2", holder.mac, fdb.To(edge1))
	})
	l.does("tes1", "terminate", holder.id)
	l.knows("vtep", holder.mac, fdb.None)
}

// routesOf is what a reflector has of a VM's MAC: route, next hop and communities.
func (l lab) routesOf(r frr.Router, v vm) (found []string) {
	l.t.Helper()
	routes, err := r.Routes(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, route := range routes {
		if strings.Contains(route.Prefix, v.mac.String()) && route.Best {
			found = append(found, fmt.Sprint(route.Prefix, " ", route.NextHop, " ", route.Communities))
		}
	}
	slices.Sort(found)
	return found
}
