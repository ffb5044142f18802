package nve

import (
	"slices"
	"strconv"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// configure puts a server into the configuration, or takes it out when there is nothing to it.
func (w *world) configure(name, vm, port string, bindings []string, opts map[string]string) {
	w.config.Servers = slices.DeleteFunc(slices.Clone(w.config.Servers), func(s Server) bool { return s.Name == name })
	if vm == "" {
		return
	}
	s := Server{Name: name, VM: vmOf(vm)}
	for _, text := range bindings {
		b := bindingOf(text)
		i := slices.IndexFunc(s.NICs, func(n NIC) bool { return n.VNI == vnis[b.vn] && n.MAC == b.mac })
		if i < 0 {
			i, s.NICs = len(s.NICs), append(s.NICs, NIC{VNI: vnis[b.vn], Port: port, MAC: b.mac})
			if p, ok := opts["policy"]; ok {
				n, err := strconv.Atoi(p)
				if err != nil {
					w.t.Fatal(err)
				}
				s.NICs[i].Policy = &evpn.Policy{Type: uint32(n), Version: 1, Format: evpn.FormatUUID}
			}
		}
		if b.ip.IsValid() {
			s.NICs[i].IPs = append(s.NICs[i].IPs, b.ip)
		}
	}
	w.config.Servers = append(w.config.Servers, s)
}

// reload has the edge take the servers of the configuration, which is as before if it does not.
func (w *world) reload() {
	before := w.edge.config.Servers
	w.turn(func() {
		taken, against := w.edge.takeServers(w.config.Servers)
		for _, text := range against {
			w.say("not reloaded: %s", text)
		}
		if !taken {
			w.config.Servers = before
		}
		if !taken && against == nil {
			w.say("not reloaded: another edge must")
		}
	})
}

// SPEC §1: nobody but the edge speaks for its own identifier.
func TestNobodySpeaksForTheNVE(t *testing.T) {
	for _, from := range []string{"tes1", "stranger", "srr"} {
		w := newWorld(t, func(c *Config) {
			for i := range c.Neighbors { // whatever the configuration says
				c.Neighbors[i].IDs = append(c.Neighbors[i].IDs, c.ID)
			}
			c.Servers = []Server{{Name: "s1", VM: vm(50), NICs: []NIC{{VNI: vnis["blue"], Port: "srv1", MAC: mac(21)}}}}
		})
		w.do("up " + from)
		before := w.edge.requests.len()
		w.lines = nil
		r := w.edge.serverRoutes(w.edge.servers[vm(50)])[0]
		r.OriginatorID = w.config.ID
		w.hear(names[from], r)
		w.hear(names[from], evpn.Route{RouteKey: r.RouteKey, Label: r.Label, NextHop: r.NextHop, OriginatorID: w.config.ID, Communities: append(slices.Clone(r.Communities[:1]),
			(&evpn.Request{Op: evpn.Terminate, Sequence: w.edge.servers[vm(50)].sequence + 1, VM: vm(50), Index: 1, Count: 1}).Communities()...)})
		if len(w.lines) > 0 || w.edge.requests.len() != before {
			t.Errorf("%s speaks for the NVE: %v", from, w.lines)
		}
		if st := w.edge.stations[StationKey{vnis["blue"], mac(21)}]; st == nil || st.local() != "srv1" {
			t.Errorf("%s speaks for the NVE: the server's MAC is not behind its port any more", from)
		}
		alarms := 0
		for _, ev := range w.edge.History.Recent(64) {
			if ev.Kind == history.KindAlarm {
				alarms++
			}
		}
		if alarms != 2 {
			t.Errorf("%s speaks for the NVE: %d alarms, want 2", from, alarms)
		}
	}
}

// An operator sees a server as a VM with a name, at the NVE, with no lifetime.
func TestServerIsSeen(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Servers = []Server{{Name: "printer", VM: vm(50), NICs: []NIC{{VNI: vnis["blue"], Port: "srv1", MAC: mac(21)}, {VNI: vnis["red"], Port: "srv2", MAC: mac(22)}}}}
	})
	w.do("ask tes1 associate vm1 blue/m1")
	s := &Snapshot{}
	w.edge.fill(s)
	if len(s.VMs) != 2 || s.VMs[0].Server != "" || s.VMs[1].Server != "printer" || s.VMs[1].TES != w.config.ID || s.VMs[1].Lifetime != 0 {
		t.Fatalf("VMs %+v, want vm1 and the server without a lifetime", s.VMs)
	}
	for i, port := range []string{"srv1", "srv2"} {
		if r := s.VMs[1].Routes[i]; r.Port != port || !r.Active {
			t.Errorf("route %+v, want it active on %s", r, port)
		}
	}
}

func TestServersAreChecked(t *testing.T) {
	nic := NIC{VNI: vnis["blue"], Port: "srv1", MAC: mac(21)}
	for name, servers := range map[string][]Server{
		"one identity twice": {{Name: "a", VM: vm(50), NICs: []NIC{nic}}, {Name: "b", VM: vm(50)}},
		"one MAC twice":      {{Name: "a", VM: vm(50), NICs: []NIC{nic}}, {Name: "b", VM: vm(51), NICs: []NIC{nic}}},
		"a foreign VN":       {{Name: "a", VM: vm(50), NICs: []NIC{{VNI: 77, Port: "srv1", MAC: mac(21)}}}},
	} {
		c := worldConfig()
		c.Servers = servers
		if _, err := New(c, Parts{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
