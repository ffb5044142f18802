package frr_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
	"github.com/tns-project/tns/labs/internal/probe"
	"github.com/tns-project/tns/labs/internal/wait"
)

const patience = 20 * time.Second

// TestThreeVTEPs proves the labs' instruments on FRR alone: what is known unicast reaches one edge, what is not is
// flooded to all, and the tables, the routes and the probes say so.
func TestThreeVTEPs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	topology, err := clab.Load("testdata/topology.clab.yml")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := clab.Deploy(ctx, topology, clab.Options{Name: fmt.Sprintf("frr%d", os.Getpid()), State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lab.Destroy(); err != nil {
			t.Error(err)
		}
	}()
	rr := frr.Router{Lab: lab, Node: "rr"}
	if err := rr.WaitSessions(ctx, patience, "192.0.2.1", "192.0.2.2", "192.0.2.3"); err != nil {
		t.Fatal(err)
	}
	left, right, third := lab.Namespace("left"), lab.Namespace("right"), lab.Namespace("third")
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 2}
	peer := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	changes, stop, err := fdb.Watch(left, "vx-blue", mac)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := lab.Output(ctx, "host-right", "ping", "-c1", "-w10", "10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := wait.Until(ctx, patience, "left", func() error { return fdb.Expect(left, "vx-blue", mac, fdb.To("192.0.2.2")) }); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.Gone || c.VTEP.String() != "192.0.2.2" {
		t.Errorf("first change seen is %+v, want the MAC behind 192.0.2.2", c)
	}
	if macs, err := (frr.Router{Lab: lab, Node: "left"}).MACs(ctx, 10100); err != nil || macs[mac.String()].RemoteVTEP != "192.0.2.2" {
		t.Errorf("zebra's table at left: %v, %v; want %s behind 192.0.2.2", macs, err, mac)
	}
	table, err := fdb.Read(left, "vx-blue")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(table.Flood), "[192.0.2.2 192.0.2.3]"; got != want {
		t.Errorf("left floods to %s, want %s", got, want)
	}
	if got := table.MACs[mac.String()]; len(table.MACs) != 1 || got != fdb.To("192.0.2.2") {
		t.Errorf("left has %v, want %s behind 192.0.2.2", table.MACs, mac)
	}
	if macs, err := fdb.Behind(right, "host"); err != nil || !slices.Contains(macs, mac.String()) {
		t.Errorf("right has %v, %v on the host's port, want %s", macs, err, mac)
	}
	neighbours, err := rr.Neighbours(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for peer, n := range neighbours {
		if n.Established != 1 || n.Dropped != 0 || n.Messages.Updates == 0 || time.Since(time.Unix(n.Epoch, 0)).Abs() > time.Minute {
			t.Errorf("rr's session with %s: %+v, want the first, of now, with UPDATEs", peer, n)
		}
	}
	if len(neighbours) != 3 {
		t.Errorf("rr has %d sessions, want 3: %v", len(neighbours), neighbours)
	}
	routes, err := rr.Routes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range routes {
		if r.Prefix == "[2]:[0]:[48]:["+mac.String()+"]" && r.NextHop == "192.0.2.2" && fmt.Sprint(r.Communities) == "[RT:65000:10100 ET:8]" {
			found = true
		}
	}
	if !found {
		t.Errorf("rr's routes have no %s from 192.0.2.2 with RT and encapsulation: %+v", mac, routes)
	}

	for _, c := range []struct {
		name        string
		destination net.HardwareAddr
		flooded     bool
	}{
		{"known unicast goes to one edge", mac, false},
		{"unknown unicast goes to all", net.HardwareAddr{2, 0, 0, 0, 0, 0x77}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			flow := probe.Flow{ID: 1, Source: peer, Destination: c.destination}
			atRight, err := probe.Listen(right, "vx-blue", flow)
			if err != nil {
				t.Fatal(err)
			}
			atThird, err := probe.Listen(third, "vx-blue", flow)
			if err != nil {
				t.Fatal(err)
			}
			sender, err := probe.Send(lab.Namespace("host-left"), "eth1", flow)
			if err != nil {
				t.Fatal(err)
			}
			err = wait.Until(ctx, patience, "200 frames", func() error {
				if n := len(atRight.Arrivals()); n < 200 {
					return fmt.Errorf("%d frames at right", n)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			sent, err := sender.Stop()
			if err != nil {
				t.Error(err)
			}
			for _, tap := range []*probe.Tap{atRight, atThird} {
				if err := tap.Stop(); err != nil {
					t.Error(err)
				}
			}
			report := probe.Judge(sent, atRight.Arrivals())
			if report.Lost+report.Duplicated+report.Reordered > 0 {
				t.Errorf("at right: %s", report)
			}
			if copies := len(atThird.Arrivals()); (copies > 0) != c.flooded {
				t.Errorf("%d copies at the third edge, flooded: %v", copies, c.flooded)
			}
		})
	}
}
