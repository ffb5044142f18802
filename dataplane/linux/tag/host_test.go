package tag

import (
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

var vmMAC = dataplane.MAC{2, 0, 0, 0, 0, 1} // the source of frame

func (w *world) host(t *testing.T, m dataplane.Mode, patience time.Duration) *Host {
	t.Helper()
	links, err := netlink.NewHandleAt(w.ns, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(links, m, "eth1", patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func TestHostTagsItsVMs(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { tagsItsVMs(t, m.mode) })
}

func tagsItsVMs(t *testing.T, m dataplane.Mode) {
	w := newWorld(t)
	w.bridge(t, "br-blue", "vm10100")
	h := w.host(t, m, time.Hour)
	apply := func(vid uint16, pcp uint8) {
		t.Helper()
		if err := h.Apply(uint32(blue), "br-blue", vmMAC, vid, pcp); err != nil {
			t.Fatal(err)
		}
	}
	apply(100, 5)
	uplink, vm := w.wire(t, "eth1-"), w.wire(t, "vm10100")
	vm.send(t, frame(0, 1))
	uplink.gets(t, 5<<13|100, 1)
	uplink.send(t, frame(100, 2))
	vm.gets(t, 0, 2)

	apply(200, 5)
	vm.send(t, frame(0, 3))
	uplink.gets(t, 5<<13|200, 3)
	uplink.send(t, frame(100, 4))
	vm.gets(t, 0, 4)   // as long as the edge sends it
	for i := range 2 { // of which the second changes nothing
		apply(200, 3)
		vm.send(t, frame(0, uint32(10+i)))
		uplink.gets(t, 3<<13|200, uint32(10+i))
	}
	other := dataplane.MAC{2, 0, 0, 0, 0, 9}
	if err := h.Apply(uint32(blue), "br-blue", other, 200, 7); err != nil {
		t.Fatal(err)
	}
	vm.send(t, frame(0, 12)) // another VM's PCP is not this one's
	uplink.gets(t, 3<<13|200, 12)
	apply(200, 0)
	vm.send(t, frame(0, 5))
	uplink.gets(t, 200, 5)
	apply(200, 6)

	// the edge gives the VID before to another VN, when nobody uses it any more
	w.bridge(t, "br-red", "vm10200")
	if err := h.Apply(uint32(red), "br-red", vmMAC, 100, 0); err != nil {
		t.Fatal(err)
	}
	inRed := w.wire(t, "vm10200")
	uplink.send(t, frame(100, 13))
	inRed.gets(t, 0, 13)
	vm.getsNothing(t)
	if err := h.Apply(uint32(red), "br-red", vmMAC, 300, 0); err != nil {
		t.Fatal(err)
	}
	uplink.send(t, frame(100, 14))
	inRed.gets(t, 0, 14)

	h.Close()
	next := w.host(t, m, time.Millisecond)
	select {
	case <-next.ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the VID before is still taken in")
	}
	uplink.send(t, frame(100, 6))
	vm.getsNothing(t)
	inRed.getsNothing(t)
	uplink.send(t, frame(200, 7))
	vm.gets(t, 0, 7)
	vm.send(t, frame(0, 8))
	uplink.gets(t, 6<<13|200, 8)
	if err := next.End(uint32(blue), vmMAC); err != nil {
		t.Fatal(err)
	}
	vm.send(t, frame(0, 9))
	uplink.gets(t, 200, 9)
	if err := next.End(10300, vmMAC); err != nil {
		t.Errorf("in a VN that is not there: %v", err)
	}
}

func TestHostNamesWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	h := w.host(t, dataplane.EBPF, time.Hour)
	if err := h.Apply(uint32(blue), "br-blue", vmMAC, 100, 0); err == nil || !strings.Contains(err.Error(), "br-blue") {
		t.Errorf("no bridge: %v", err)
	}
	if err := h.Apply(uint32(blue), "eth1-", vmMAC, 100, 0); err == nil || !strings.Contains(err.Error(), "use eth1-: it is a veth, a bridge is needed") {
		t.Errorf("no bridge: %v", err)
	}
	w.run(t, "ip link del eth1")
	w.bridge(t, "br-blue", "vm10100")
	if err := h.Apply(uint32(blue), "br-blue", vmMAC, 100, 0); err == nil || !strings.Contains(err.Error(), "eth1") {
		t.Errorf("no uplink: %v", err)
	}
}
