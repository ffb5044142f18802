//go:build vlan

// What needs VLAN devices, which the kernel of this machine may lack; labs/debian has them.
package tag

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

func init() {
	modes = append(modes, mode{dataplane.Dot1Q, func(h *netlink.Handle) Tagger { return NewDot1Q(h) }})
}

func TestForeignVLANDeviceGoesOn(t *testing.T) {
	w := newWorld(t)
	w.run(t, "ip link add link eth1 name theirs type vlan id 500")
	w.up(t, "theirs")
	d := NewDot1Q(w.links)
	if _, err := d.Attach("eth1", blue); err != nil {
		t.Fatal(err)
	}
	trunk, theirs := w.wire(t, "eth1-"), w.wire(t, "theirs")
	trunk.send(t, frame(500, 1))
	theirs.gets(t, 0, 1)
	theirs.send(t, frame(0, 2))
	trunk.gets(t, 500, 2)
	if err := d.Set("eth1", blue, vids(500, 0)); err == nil || !strings.Contains(err.Error(), "VID 500 is that of theirs, which is not ours") {
		t.Errorf("its VID: %v", err)
	}
	if err := d.Detach("eth1", blue); err != nil {
		t.Fatal(err)
	}
	trunk.send(t, frame(500, 3))
	theirs.gets(t, 0, 3)
	w.run(t, "ip link show theirs")
}

// The VID of a device's own is no way in: neither its first nor one that some VN had before.
func TestDevicesOwnVIDIsNoWayIn(t *testing.T) {
	w := newWorld(t)
	d := NewDot1Q(w.links)
	device, err := d.Attach("eth1", blue)
	if err != nil {
		t.Fatal(err)
	}
	w.vn(t, device)
	trunk, inBlue := w.wire(t, "eth1-"), w.wire(t, w.vm(t, device))
	link, err := w.links.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	own := uint16(link.(*netlink.Vlan).VlanId)
	trunk.send(t, frame(own, 1))
	inBlue.send(t, frame(0, 2))
	inBlue.getsNothing(t)
	trunk.getsNothing(t)
	if err := d.Set("eth1", blue, vids(own, 0)); err != nil {
		t.Fatalf("its own VID on the link: %v", err)
	}
	trunk.send(t, frame(own, 3))
	inBlue.gets(t, 0, 3)
	inBlue.send(t, frame(0, 4))
	trunk.gets(t, own, 4)
}
