package nve

import (
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// A VN with records is neither renumbered nor deleted, nor are its VMs left without a port: the answer names them (SPEC §3). What touches nobody may change.
func TestWhatMayChange(t *testing.T) {
	const (
		vm1 = "aa000000-0000-0000-0000-000000000001 at TES 198.51.100.11"
		vm2 = "aa000000-0000-0000-0000-000000000002 at TES 198.51.100.12"
	)
	vnAt := func(c *Config, name string) *VN {
		return &c.VNs[slices.IndexFunc(c.VNs, func(v VN) bool { return v.Name == name })]
	}
	without := func(c *Config, name string) {
		c.VNs = slices.DeleteFunc(slices.Clone(c.VNs), func(v VN) bool { return v.Name == name })
	}
	const printer = "server printer vm50 srv1 blue/m21"
	both := []string{"ask tes1 associate vm1 blue/m1", "ask tes2 pre-associate vm2 blue/m2 red/m2"}
	for _, v := range []struct {
		name    string
		story   []string
		change  func(*Config)
		against []string
	}{
		{"nothing", both, func(*Config) {}, nil},
		{"a VN with VMs is deleted", both, func(c *Config) { without(c, "blue") }, []string{"VN blue (10100) cannot be deleted while VMs are in it: " + vm1 + ", " + vm2}},
		{"two are", both, func(c *Config) { without(c, "blue"); without(c, "red") },
			[]string{"VN blue (10100) cannot be deleted while VMs are in it: " + vm1 + ", " + vm2, "VN red (10200) cannot be deleted while VMs are in it: " + vm2}},
		{"a VN with VMs is renumbered", both, func(c *Config) { vnAt(c, "blue").VNI = 7 }, []string{"VN blue cannot be renumbered from 10100 to 7 while VMs are in it: " + vm1 + ", " + vm2}},
		{"a VN with VMs is renamed", both, func(c *Config) { vnAt(c, "red").Name = "rot" }, []string{"VN red (10200) cannot be renamed rot while VMs are in it: " + vm2}},
		{"an empty VN is deleted", both, func(c *Config) { without(c, "green") }, nil},
		{"an empty VN is renumbered", both, func(c *Config) { vnAt(c, "green").VNI = 7 }, nil},
		{"a VN is added", both, func(c *Config) { c.VNs = append(c.VNs, VN{Name: "new", VNI: 7}) }, nil},
		{"a TES loses its port", both, func(c *Config) { vnAt(c, "blue").Ports[1].TES = nil }, []string{"TES 198.51.100.12 cannot lose its port in VN blue while VMs of it are there: " + vm2}},
		{"a TES without VMs loses its port", both[:1], func(c *Config) { vnAt(c, "blue").Ports[1].TES = nil }, nil},
		{"a TES is behind another port", both, func(c *Config) { vnAt(c, "blue").Ports[0].Name = "eth9" }, nil},
		{"a TES may not use the VN", both, func(c *Config) { vnAt(c, "red").TES = []evpn.RouterID{id("198.51.100.11")} },
			[]string{"TES 198.51.100.12 cannot be forbidden VN red while VMs of it are there: " + vm2}},
		{"credentials are asked for", both, func(c *Config) { vnAt(c, "red").Credentialed = true }, []string{"VN red cannot ask for credentials while VMs are in it that came without: " + vm2}},
		{"credentials are asked for of those who came with one", []string{"ask tes2 associate vm2 red/m2 key=7"}, func(c *Config) { vnAt(c, "red").Credentialed = true }, nil},
		{"quotas are lowered", both, func(c *Config) { vnAt(c, "blue").MaxVMs = 1 }, nil},
		{"a profile that a VM has goes", []string{"ask tes1 associate vm1 blue/m1 policy=5"}, func(c *Config) { delete(c.Profiles, policy.ID{Type: 5, Version: 1}) },
			[]string{"VN blue cannot have policies by which VMs in it could not be there: there is no profile 5:1: " + vm1}},
		{"a profile that a VM has is not for its VN any more", []string{"ask tes1 associate vm1 blue/m1 policy=5"}, func(c *Config) {
			p := *c.Profiles[policy.ID{Type: 5, Version: 1}]
			p.VNs = []string{"red"}
			c.Profiles[policy.ID{Type: 5, Version: 1}] = &p
		}, []string{"VN blue cannot have policies by which VMs in it could not be there: profile web (5:1) is not for VN blue: " + vm1}},
		{"a profile that no VM has goes", both, func(c *Config) { delete(c.Profiles, policy.ID{Type: 5, Version: 1}) }, nil},
		{"there is a baseline that a VM's profile contradicts", []string{"ask tes1 associate vm1 blue/m1 policy=7"}, func(c *Config) { vnAt(c, "blue").Baseline = vnAt(c, "mauve").Baseline },
			[]string{"VN blue cannot have policies by which VMs in it could not be there: pcp 5 of profile urgent (7:1): above the highest of the baseline of tenant acme, 3: " + vm1}},
		{"a port cannot keep what it guarantees", []string{"ask tes1 associate vm1 blue/m1 policy=12"}, func(c *Config) { vnAt(c, "blue").Ports[0].Bandwidth = 999999 },
			[]string{"port eth11 cannot guarantee 1000000 bit/s with a bandwidth of 999999: " + vm1}},
		{"a port has no bandwidth any more", []string{"ask tes1 associate vm1 blue/m1 policy=12"}, func(c *Config) { vnAt(c, "blue").Ports[0].Bandwidth = 0 },
			[]string{"port eth11 cannot guarantee 1000000 bit/s with a bandwidth of 0: " + vm1}},
		{"a profile guarantees more than there is", []string{"ask tes1 associate vm1 blue/m1 policy=12"}, func(c *Config) {
			p := *c.Profiles[policy.ID{Type: 12, Version: 1}]
			p.Guaranteed = 3e6
			c.Profiles[policy.ID{Type: 12, Version: 1}] = &p
		}, []string{"port eth11 cannot guarantee 3000000 bit/s with a bandwidth of 2000000: " + vm1}},
		{"what is guaranteed still is", []string{"ask tes1 associate vm1 blue/m1 policy=12"}, func(c *Config) { vnAt(c, "blue").Ports[0].Bandwidth = 1e6 }, nil},
		{"a VN with a server is renumbered", []string{printer, "reload"}, func(c *Config) {
			vnAt(c, "blue").VNI = 7
			c.Servers = []Server{{Name: "printer", VM: vm(50), NICs: []NIC{{VNI: 7, Port: "srv1", MAC: mac(21)}}}}
		}, []string{"VN blue cannot be renumbered from 10100 to 7 while servers are in it: server printer"}},
		{"a VN is renumbered, and its server goes", []string{printer, "reload"}, func(c *Config) { vnAt(c, "blue").VNI = 7 }, nil},
		{"a VN goes with its server", []string{printer, "reload"}, func(c *Config) { without(c, "blue") }, nil},
		{"a VN goes, and its server goes to another", []string{printer, "reload"}, func(c *Config) {
			without(c, "blue")
			c.Servers = []Server{{Name: "printer", VM: vm(50), NICs: []NIC{{VNI: vnis["red"], Port: "srv1", MAC: mac(21)}}}}
		}, nil},
		{"orphans count", append(both[:1:1], "down tes1"), func(c *Config) { without(c, "blue") }, []string{"VN blue (10100) cannot be deleted while VMs are in it: " + vm1}},
		{"who has gone does not", append(both[:1:1], "ask tes1 terminate vm1"), func(c *Config) { without(c, "blue") }, nil},
		{"who was refused does not", []string{"refuse m1 6", both[0]}, func(c *Config) { without(c, "blue") }, nil},
		{"who is being let in counts", []string{"kernel hold", both[0]}, func(c *Config) { without(c, "blue") }, []string{"VN blue (10100) cannot be deleted while VMs are in it: " + vm1}},
		{"who has not come back after a restart counts", append(both[:1:1], "restart", "up frr", "eor frr"), func(c *Config) { without(c, "blue") },
			[]string{"VN blue (10100) cannot be deleted while VMs are in it: " + vm1}},
		{"before the fabric is known nothing may", append(both[:1:1], "restart"), func(*Config) {},
			[]string{"the start is not over: who is there is not known yet; try again in a few seconds"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			wide := func(c *Config) { vnAt(c, "blue").Ports[0].Bandwidth = 2e6 }
			w := newWorld(t, wide)
			for _, line := range v.story {
				w.do(line)
			}
			next := worldConfig()
			wide(&next)
			v.change(&next)
			var against []string
			w.turn(func() { against = w.edge.against(next) })
			if !slices.Equal(against, v.against) {
				t.Errorf("against it:\n  %s\nwant\n  %s", strings.Join(against, "\n  "), strings.Join(v.against, "\n  "))
			}
		})
	}
}

// Between the answer and the next edge nobody comes into a VN that goes; if it does not go after all, they may come.
func TestLeavingVNTakesNobody(t *testing.T) {
	w := newWorld(t)
	next := worldConfig()
	next.VNs = next.VNs[1:]
	answer := func(c Config) {
		t.Helper()
		w.turn(func() {
			if against := w.edge.mayChange(c); len(against) > 0 {
				t.Fatal(against)
			}
		})
	}
	answer(next)
	w.lines = nil
	w.do("ask tes1 associate vm1 blue/m1")
	if got := strings.Join(w.lines, "\n"); got != "respond tes1 blue/m1 vm1: FAIL null 17 @1" {
		t.Errorf("the edge said %s", got)
	}
	answer(worldConfig())
	w.do("ask tes1 associate vm1 blue/m1")
	if r := w.edge.records[VMKey{vm(1), id("198.51.100.11")}]; r == nil || !r.alive() {
		t.Error("it is refused still")
	}
}
