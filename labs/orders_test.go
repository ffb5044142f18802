package labs_test

import (
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
)

const (
	edge1, edge2 = "192.0.2.1", "192.0.2.2"
	tes1, tes2   = "198.51.100.11", "198.51.100.12"
	immigration  = "--immigration"
)

// TestMigrationOrders takes a silent VM from tes1 at edge1 to tes2 at edge2 with the messages in each order that can
// happen, while FRR watches: wherever it ends, FRR's kernel and the other edge's have it there, frames arrive there and
// nowhere else.
func TestMigrationOrders(t *testing.T) {
	orders := []struct {
		name    string
		migrate func(l lab, v vm)
		ends    string // tes1 or tes2
	}{
		{"source first", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"target first: the source is outranked before it is told to let go", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.stands("edge1", v.id, tes1, "emigrating", "outranked")
			l.does("tes1", "emigrate", v.id)
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"without preparing the target", func(l lab, v vm) {
			l.does("tes1", "emigrate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"the source terminates before the target associates", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes1", "terminate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
		}, "tes2"},
		{"the source's withdraw late", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.signal("edge1", "STOP") // its fabric route stands
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.knows("vtep", v.mac, fdb.To(edge2))
			l.signal("edge1", "CONT")
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"rolled back before the target had activated", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes1", "resume", v.id)
			l.does("tes2", "terminate", v.id)
		}, "tes1"},
		{"rolled back after the target had activated, the source claims it back first", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.knows("vtep", v.mac, fdb.To(edge2))
			l.does("tes1", "resume", v.id)
			l.stands("edge2", v.id, tes2, "emigrating", "outranked")
			l.does("tes2", "terminate", v.id)
		}, "tes1"},
		{"rolled back after the target had activated, the target lets go first", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.knows("vtep", v.mac, fdb.To(edge2))
			l.does("tes2", "terminate", v.id)
			l.does("tes1", "resume", v.id)
		}, "tes1"},
		{"the source's nved killed and started in the middle", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.restart("edge1")
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.established("edge1", 2)
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"the target's nved killed and started in the middle", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.restart("edge2")
			l.established("edge2", 2)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
		{"the target's nved killed and started after it had activated", func(l lab, v vm) {
			l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
			l.does("tes1", "emigrate", v.id)
			l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
			l.restart("edge2")
			l.established("edge2", 2)
			l.stands("edge2", v.id, tes2, "associated", "")
			l.does("tes1", "terminate", v.id)
		}, "tes2"},
	}
	l := deploy(t, "migration/topology.clab.yml")
	l.ready()
	// Both edges stay members of the VN, so that flooding would reach them.
	l.does("tes1", "associate", newVM(201).id, "--nic", newVM(201).nic)
	l.does("tes2", "associate", newVM(202).id, "--nic", newVM(202).nic)
	l.knows("vtep", newVM(201).mac, fdb.To(edge1))
	l.knows("vtep", newVM(202).mac, fdb.To(edge2))
	for i, o := range orders {
		t.Run(o.name, func(t *testing.T) {
			l := l.in(t)
			v := newVM(i + 1)
			l.does("tes1", "associate", v.id, "--nic", v.nic)
			l.knows("vtep", v.mac, fdb.To(edge1))
			l.knows("edge2", v.mac, fdb.To(edge1))
			l.reaches(v.mac, "vm1", []string{"vm2"}, []string{"edge2"})
			o.migrate(l, v)
			place, otherPlace, edge, otherEdge := "vm2", "vm1", edge2, "edge1"
			if o.ends == "tes1" {
				place, otherPlace, edge, otherEdge = "vm1", "vm2", edge1, "edge2"
			}
			l.knows("vtep", v.mac, fdb.To(edge))
			l.knows(otherEdge, v.mac, fdb.To(edge))
			l.keeps("vtep", v.mac, fdb.To(edge))
			l.reaches(v.mac, place, []string{otherPlace}, []string{otherEdge})
			l.does(o.ends, "terminate", v.id)
			l.knows("vtep", v.mac, fdb.None)
			l.knows(otherEdge, v.mac, fdb.None)
			l.reachesNobody(v.mac, "vm1", "vm2")
		})
	}
}

// ready waits for the sessions of the migration lab.
func (l lab) ready() {
	l.t.Helper()
	for _, node := range []string{"tes1", "tes2"} {
		l.established(node, 1)
	}
	for _, node := range []string{"edge1", "edge2"} {
		l.established(node, 2)
	}
	vtep := frr.Router{Lab: l.Lab, Node: "vtep"}
	if err := vtep.WaitSessions(l.ctx, patience, "192.0.2.254"); err != nil {
		l.t.Fatal(err)
	}
}

// restart crashes what a node runs, all of it, and starts it again.
func (l lab) restart(node string) {
	l.t.Helper()
	if err := l.Kill(node); err != nil {
		l.t.Fatal(err)
	}
	if err := l.Start(node); err != nil {
		l.t.Fatal(err)
	}
}

// signal sends a signal to all that a node runs.
func (l lab) signal(node, signal string) {
	l.t.Helper()
	if err := l.Signal(node, signal); err != nil {
		l.t.Fatal(err)
	}
}
