package tag

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// Host is a hypervisor's side of a trunk: its VMs are in a bridge per VN, and their frames leave by the uplink with the VID and the PCP that the edge told. It is safe for
// concurrent use.
type Host struct {
	uplink   string
	patience time.Duration // how long the VID before is still taken in

	mu     sync.Mutex
	links  *netlink.Handle
	tagger hostTagger
	vids   map[dataplane.VNI]dataplane.VIDs
	timers map[dataplane.VNI]*time.Timer
	ended  chan struct{} // capacity 1: a VID is not taken in any more
}

// NewEBPFHost tags as EBPF does, in the network namespace of the calling thread. It takes over what a run before left.
func NewEBPFHost(uplink string, patience time.Duration) (*Host, error) {
	return openHost(dataplane.EBPF, uplink, patience)
}

// NewDot1QHost tags as Dot1Q does.
func NewDot1QHost(uplink string, patience time.Duration) (*Host, error) {
	return openHost(dataplane.Dot1Q, uplink, patience)
}

func openHost(mode dataplane.Mode, uplink string, patience time.Duration) (*Host, error) {
	links, err := netlink.NewHandle()
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return newHost(links, mode, uplink, patience)
}

// hostTagger is a Tagger that gives frames a PCP by their source.
type hostTagger interface {
	Tagger
	SetPCP(port string, vni dataplane.VNI, mac dataplane.MAC, pcp uint8) error
}

func newHost(links *netlink.Handle, mode dataplane.Mode, uplink string, patience time.Duration) (*Host, error) {
	h := &Host{
		uplink: uplink, patience: patience, links: links,
		vids: map[dataplane.VNI]dataplane.VIDs{}, timers: map[dataplane.VNI]*time.Timer{}, ended: make(chan struct{}, 1),
	}
	switch mode {
	case dataplane.EBPF:
		h.tagger = NewEBPF(links)
	case dataplane.Dot1Q:
		h.tagger = NewDot1Q(links)
	default:
		links.Close()
		return nil, fmt.Errorf("mode %v is none of a hypervisor", mode)
	}
	all, err := h.tagger.List()
	if err != nil {
		h.Close()
		return nil, err
	}
	h.mu.Lock() // the timers that begin here
	defer h.mu.Unlock()
	for _, a := range all {
		if a.Port == uplink && a.VIDs.Send != 0 {
			h.vids[a.VNI] = a.VIDs
			h.endLater(a.VNI)
		}
	}
	return h, nil
}

// Close lets go of what the process holds; the kernel goes on.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.timers {
		t.Stop()
	}
	h.tagger.Close()
	h.links.Close()
}

// Apply has a VN's frames leave its bridge by the uplink with a VID, and those of a MAC with a PCP. The VID before is taken in as well for a while: the edge goes on sending it until
// everybody has applied the new one.
func (h *Host) Apply(network uint32, bridge string, mac [6]byte, vid uint16, pcp uint8) error {
	vni := dataplane.VNI(network)
	h.mu.Lock()
	defer h.mu.Unlock()
	device, err := h.tagger.Attach(h.uplink, vni)
	if err != nil {
		return err
	}
	if err := h.enslave(device, bridge); err != nil {
		return err
	}
	want := h.vids[vni]
	if want.Send != vid {
		want = dataplane.VIDs{Send: vid, Also: want.Send}
	}
	if err := h.giveUp(vni, vid); err != nil {
		return err
	}
	if err := h.tagger.Set(h.uplink, vni, want); err != nil {
		return err
	}
	if h.vids[vni] != want {
		h.vids[vni] = want
		h.endLater(vni)
	}
	return h.tagger.SetPCP(h.uplink, vni, mac, pcp)
}

// giveUp has the VID not be taken in any more for another VN that had it before: the edge has given it to this one.
func (h *Host) giveUp(vni dataplane.VNI, vid uint16) error {
	for other, v := range h.vids {
		if other == vni || v.Also != vid {
			continue
		}
		v.Also = 0
		if err := h.tagger.Set(h.uplink, other, v); err != nil {
			return err
		}
		h.vids[other] = v
		h.endLater(other)
	}
	return nil
}

// End has frames of a MAC in a VN bear no PCP of their own any more. The VN goes on.
func (h *Host) End(network uint32, mac [6]byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.vids[dataplane.VNI(network)]; !there {
		return nil
	}
	return h.tagger.SetPCP(h.uplink, dataplane.VNI(network), mac, 0)
}

// endLater has the VID before not be taken in any more after a while.
func (h *Host) endLater(vni dataplane.VNI) {
	if t := h.timers[vni]; t != nil {
		t.Stop()
		delete(h.timers, vni)
	}
	if h.vids[vni].Also == 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(h.patience, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.timers[vni] != timer { // it was stopped too late
			return
		}
		delete(h.timers, vni)
		now := dataplane.VIDs{Send: h.vids[vni].Send}
		if h.tagger.Set(h.uplink, vni, now) == nil {
			h.vids[vni] = now
			select {
			case h.ended <- struct{}{}:
			default:
			}
		}
	})
	h.timers[vni] = timer
}

// enslave puts what stands for the uplink into the VN's bridge, and both up.
func (h *Host) enslave(device, bridge string) error {
	master, err := h.links.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find the bridge %s: %w", bridge, err)
	}
	if _, ok := master.(*netlink.Bridge); !ok {
		return fmt.Errorf("use %s: it is a %s, a bridge is needed", bridge, master.Type())
	}
	link, err := h.links.LinkByName(device)
	if err != nil {
		return err
	}
	if link.Attrs().MasterIndex != master.Attrs().Index {
		if err := h.links.LinkSetMaster(link, master); err != nil {
			return fmt.Errorf("enslave %s to %s: %w", device, bridge, err)
		}
	}
	return errors.Join(h.links.LinkSetUp(link), h.links.LinkSetUp(master))
}
