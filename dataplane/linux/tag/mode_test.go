package tag

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// mode is a way to tag, under test.
type mode struct {
	mode dataplane.Mode
	make func(*netlink.Handle) Tagger
}

// modes are those that every kernel has that the tests run on; with the build tag vlan, those of Debian's too.
var modes = []mode{
	{dataplane.EBPF, func(h *netlink.Handle) Tagger { return NewEBPF(h) }},
}

func eachMode(t *testing.T, test func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.mode.String(), func(t *testing.T) { test(t, m) })
	}
}

func (m mode) tagger(t *testing.T, w *world) Tagger {
	tagger := m.make(w.links)
	t.Cleanup(tagger.Close)
	return tagger
}

// world is two VNs on one trunk.
func (m mode) world(t *testing.T) (w *world, tagger Tagger, trunk, inBlue, inRed wire) {
	w = newWorld(t)
	tagger = m.tagger(t, w)
	for vni, v := range map[dataplane.VNI]dataplane.VIDs{blue: vids(100, 0), red: vids(200, 0)} {
		device, err := tagger.Attach("eth1", vni)
		if err != nil {
			t.Fatal(err)
		}
		w.vn(t, device)
		if err := tagger.Set("eth1", vni, v); err != nil {
			t.Fatal(err)
		}
	}
	return w, tagger, w.wire(t, "eth1-"), w.wire(t, w.vm(t, "eth1.v10100")), w.wire(t, w.vm(t, "eth1.v10200"))
}
