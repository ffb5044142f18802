package labs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
)

// standard are the extended communities that an EVPN speaker knows from the RFCs, as FRR writes them.
var standard = regexp.MustCompile(`^(RT:\d+:\d+|ET:8|MM:\d+)$`)

// TestReflected takes a VM through its life at an edge that its TES has no session with: requests and responses pass
// FRR's reflector, beside the fabric's routes, and a plain VTEP that gets them all takes none for its own.
func TestReflected(t *testing.T) {
	l := deploy(t, "reflected/topology.clab.yml")
	l.established("tes1", 1)
	l.established("edge1", 2)
	rr := frr.Router{Lab: l.Lab, Node: "rr"}
	if err := rr.WaitSessions(l.ctx, patience, "192.0.2.1", "192.0.2.101", "192.0.2.3", "198.51.100.11"); err != nil {
		t.Fatal(err)
	}
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	l.knows("vtep", v.mac, fdb.To(edge1))
	l.pings("far", "10.1.0.1")
	l.stands("edge1", v.id, tes1, "associated", "")

	routes, err := rr.Routes(l.ctx)
	if err != nil {
		t.Fatal(err)
	}
	planes := map[string]int{}
	for _, r := range routes {
		plane := "fabric"
		for _, c := range r.Communities {
			if strings.HasPrefix(c, "RT:8394:") || strings.HasPrefix(c, "RT:8395:") {
				plane = strings.Split(c, ":")[1]
			}
		}
		planes[plane]++
		if plane != "fabric" {
			continue
		}
		for _, c := range r.Communities {
			if !standard.MatchString(c) {
				t.Errorf("a route of the fabric bears %q: %+v", c, r)
			}
		}
		if r.Large != "" {
			t.Errorf("a route of the fabric bears a large community: %+v", r)
		}
	}
	for _, plane := range []string{"8394", "8395", "fabric"} {
		if planes[plane] == 0 {
			t.Errorf("the reflector has no route of plane %s: %+v", plane, routes)
		}
	}

	for _, vni := range []int{8394, 8395} {
		macs, err := (frr.Router{Lab: l.Lab, Node: "vtep"}).MACs(l.ctx, vni)
		if err != nil {
			t.Fatal(err)
		}
		if len(macs) > 0 {
			t.Errorf("a VTEP with VNI %d has taken %v", vni, macs)
		}
	}
	for _, name := range []string{"vx-8394", "vx-8395"} {
		if got := l.run("vtep", "bridge", "fdb", "show", "dev", name); strings.Contains(got, "dst") {
			t.Errorf("a VTEP has installed on %s:\n%s", name, got)
		}
	}

	l.does("tes1", "suspend", v.id)
	l.knows("vtep", v.mac, fdb.None)
	l.does("tes1", "resume", v.id)
	l.knows("vtep", v.mac, fdb.To(edge1))
	l.pings("far", "10.1.0.1")
	l.does("tes1", "terminate", v.id)
	l.knows("vtep", v.mac, fdb.None)
}
