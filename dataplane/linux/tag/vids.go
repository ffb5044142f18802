package tag

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// Set writes the maps: what is taken in is added first, then what is sent changes, then what is not taken in any more goes.
func (e *EBPF) Set(port string, vni dataplane.VNI, vids dataplane.VIDs) error {
	t, p, err := e.find(port, vni)
	if err == nil && p == nil {
		err = errors.New("it is not attached")
	}
	if err == nil {
		err = e.write(t, p, vids)
	}
	if err != nil {
		return fmt.Errorf("set VID %v of VN %d on %s: %w", vids, vni, port, err)
	}
	return nil
}

// SetPCP has frames from a MAC to the port bear this PCP, whatever their priority; 0 gives the MAC back to its priority.
func (e *EBPF) SetPCP(port string, vni dataplane.VNI, mac dataplane.MAC, pcp uint8) error {
	_, p, err := e.find(port, vni)
	if err == nil && p == nil {
		err = errors.New("it is not attached")
	}
	if err == nil {
		var key [8]byte
		copy(key[:], mac[:])
		if pcp != 0 {
			err = p.pcps.Put(key, uint32(pcp&7))
		} else if err = p.pcps.Delete(key); errors.Is(err, ebpf.ErrKeyNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("set PCP %d of %v in VN %d on %s: %w", pcp, mac, vni, port, err)
	}
	return nil
}

// Unset takes all VIDs away.
func (e *EBPF) Unset(port string, vni dataplane.VNI) error {
	t, p, err := e.find(port, vni)
	if err == nil && p != nil {
		err = e.write(t, p, dataplane.VIDs{})
	}
	if err != nil {
		return fmt.Errorf("take away the VIDs of VN %d on %s: %w", vni, port, err)
	}
	return nil
}

// find is a trunk and a pair; that there is no pair, no program at the port or no port is no error.
func (e *EBPF) find(port string, vni dataplane.VNI) (*trunk, *pair, error) {
	t, err := e.trunk(port, false)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil, nil
	}
	if err != nil || t == nil {
		return nil, nil, err
	}
	p, err := e.pair(t, port, vni, false)
	return t, p, err
}

func (e *EBPF) write(t *trunk, p *pair, vids dataplane.VIDs) error {
	taken, err := all32(t.vids)
	if err != nil {
		return err
	}
	for vid, carrier := range taken {
		if vids.Has(uint16(vid)) && carrier != 0 && carrier != uint32(p.carrier) {
			if other := e.owner(p.trunk, int(carrier)); other != 0 {
				return fmt.Errorf("VID %d is VN %d's there", vid, other)
			}
		}
	}
	for _, vid := range []uint16{vids.Send, vids.Also} {
		if vid != 0 {
			if err := put32(t.vids, uint32(vid), uint32(p.carrier)); err != nil {
				return err
			}
		}
	}
	if err := put32(p.values, pairVID, uint32(vids.Send)); err != nil {
		return err
	}
	for vid, carrier := range taken {
		if carrier == uint32(p.carrier) && !vids.Has(uint16(vid)) {
			if err := put32(t.vids, uint32(vid), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// owner is the VN whose carrier a device is; 0: none that is there.
func (e *EBPF) owner(port string, carrier int) dataplane.VNI {
	link, err := e.links.LinkByIndex(carrier)
	if err != nil {
		return 0
	}
	end, err := e.links.LinkByIndex(link.Attrs().ParentIndex)
	if err != nil {
		return 0
	}
	vni, on, ours := readAlias(end)
	if !ours || on != port {
		return 0
	}
	return vni
}

// readAlias tells what a bridge port of ours stands for.
func readAlias(link netlink.Link) (vni dataplane.VNI, port string, ours bool) {
	return parseAlias(link, alias)
}

// Detach removes the pair, with its programs, and after the last one of a trunk what was at that.
func (e *EBPF) Detach(port string, vni dataplane.VNI) error {
	if err := e.Unset(port, vni); err != nil {
		return err
	}
	name := Device(port, vni)
	if p := e.pairs[name]; p != nil {
		p.close()
		delete(e.pairs, name)
	}
	link, err := e.links.LinkByName(name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	if err == nil {
		if _, _, ours := readAlias(link); !ours {
			return nil
		}
		err = e.links.LinkDel(link)
	}
	if err == nil {
		err = e.abandon(port)
	}
	if err != nil {
		return fmt.Errorf("take VN %d from %s: %w", vni, port, err)
	}
	return nil
}

// abandon leaves a trunk that no VN is on as it was.
func (e *EBPF) abandon(port string) error {
	all, err := e.List()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Port == port {
			return nil
		}
	}
	if t := e.trunks[port]; t != nil {
		t.close()
		delete(e.trunks, port)
	}
	link, err := e.links.LinkByName(port)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(e.detach(link, trunkIn), e.links.SetPromiscOff(link))
}

// List goes through the devices by their aliases. Where the maps hold what no Set asks for, the VID to send is reported as 0.
func (e *EBPF) List() ([]Attachment, error) {
	links, err := listLinks(e.links)
	if err != nil {
		return nil, err
	}
	var all []Attachment
	for _, l := range links {
		vni, port, ours := readAlias(l)
		if !ours {
			continue
		}
		vids, err := e.vids(port, vni)
		if err != nil {
			return nil, fmt.Errorf("read the VIDs of VN %d on %s: %w", vni, port, err)
		}
		all = append(all, Attachment{Port: port, VNI: vni, Device: l.Attrs().Name, VIDs: vids})
	}
	return all, nil
}

func (e *EBPF) vids(port string, vni dataplane.VNI) (vids dataplane.VIDs, err error) {
	t, p, err := e.find(port, vni)
	if err != nil || p == nil {
		return vids, err
	}
	send, err := get32(p.values, pairVID)
	if err != nil {
		return vids, err
	}
	taken, err := all32(t.vids)
	if err != nil {
		return vids, err
	}
	vids.Send = uint16(send)
	found := 0
	for vid, carrier := range taken {
		if carrier != uint32(p.carrier) {
			continue
		}
		found++
		if uint32(vid) != send {
			vids.Also = uint16(vid)
		}
	}
	expected := 0
	for _, vid := range []uint16{vids.Send, vids.Also} {
		if vid != 0 {
			expected++
		}
	}
	if found != expected || vids.Send == 0 && found > 0 {
		vids.Send = 0
	}
	return vids, nil
}

// Drops reads the counts of the trunks.
func (e *EBPF) Drops() (map[string]uint64, error) {
	drops := make(map[string]uint64, len(e.trunks))
	for name, t := range e.trunks {
		for _, index := range []uint32{countUntagged, countUnknown} {
			var n uint64
			if err := t.counts.Lookup(index, &n); err != nil {
				return nil, fmt.Errorf("count the drops on %s: %w", name, err)
			}
			drops[name] += n
		}
	}
	return drops, nil
}

// silence keeps a device from having IPv6 addresses.
func (e *EBPF) silence(link netlink.Link) error {
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	err := e.links.LinkSetIP6AddrGenMode(link, none)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) { // no IPv6 at all
		return fmt.Errorf("set %s's addrgenmode to none: %w", link.Attrs().Name, err)
	}
	return nil
}
