package tag

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// EBPF is the Tagger of dataplane.EBPF, for kernels that have neither VLAN devices nor VLAN filtering. A pair of veth devices per port and VN goes from the VN's
// bridge to programs, which share the trunk:
//
//	            trunk                     carrier ══ port, in the VN's bridge
//	in   by VID to a carrier ─────────►           ──► tag off; priority = PCP
//	out                      ◄── to the trunk     ◄── tag on; PCP = priority
//
// The trunk is set promiscuous, as a bridge port would be. Its own untagged frames, which are all that the edge itself would have there, are dropped with all
// others. Programs and maps are held by the filters of tc, and by nobody else: no file system has to be mounted.
type EBPF struct {
	links  *netlink.Handle
	trunks map[string]*trunk // by name
	pairs  map[string]*pair  // by the name of the port
}

var _ Tagger = (*EBPF)(nil)

// trunk is a port's maps, as long as the device is the same.
type trunk struct {
	index        int
	vids, counts *ebpf.Map
}

// pair is a pair of devices and their maps.
type pair struct {
	trunk         string
	vni           dataplane.VNI
	port, carrier int // indexes
	values, pcps  *ebpf.Map
}

func (p *pair) close() {
	p.values.Close()
	p.pcps.Close()
}

// NewEBPF takes over a netlink socket of the namespace to work in. It changes nothing.
func NewEBPF(links *netlink.Handle) *EBPF {
	return &EBPF{links: links, trunks: map[string]*trunk{}, pairs: map[string]*pair{}}
}

// Close lets go of the maps; the kernel keeps them.
func (e *EBPF) Close() {
	for _, t := range e.trunks {
		t.close()
	}
	for _, p := range e.pairs {
		p.close()
	}
	clear(e.trunks)
	clear(e.pairs)
}

func (t *trunk) close() {
	t.vids.Close()
	t.counts.Close()
}

// The alias of a bridge port tells what it is: "tns ebpf 10100 on eth1".
const alias = "tns ebpf %d on %s"

// carrierOf names the other end of a pair.
func carrierOf(device string) string {
	i := strings.LastIndex(device, ".v")
	return device[:i] + ".c" + device[i+2:]
}

// Attach makes the pair and its programs, or what of them is missing.
func (e *EBPF) Attach(port string, vni dataplane.VNI) (string, error) {
	name := Device(port, vni)
	t, err := e.trunk(port, true)
	if err == nil {
		_, err = e.pair(t, port, vni, true)
	}
	if err != nil {
		return name, fmt.Errorf("have VN %d on %s by %s: %w", vni, port, name, err)
	}
	return name, nil
}

// trunk is a port with its program. With make it is put right first; without it is nil if there is no program.
func (e *EBPF) trunk(name string, make bool) (*trunk, error) {
	link, err := e.links.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if make {
		if err := e.prepare(link); err != nil {
			return nil, err
		}
	}
	there, err := e.attached(link, trunkIn)
	if err != nil {
		return nil, err
	}
	known := e.trunks[name]
	if known != nil && there != nil && known.index == link.Attrs().Index {
		return known, nil
	}
	if known != nil {
		known.close()
		delete(e.trunks, name)
	}
	t, err := e.adoptTrunk(link)
	if err == nil && t == nil && make {
		t, err = e.makeTrunk(link)
	}
	if err != nil || t == nil {
		return nil, err
	}
	e.trunks[name] = t
	return t, nil
}

// prepare has a trunk hear all frames.
func (e *EBPF) prepare(link netlink.Link) error {
	if link.Attrs().MasterIndex != 0 {
		return fmt.Errorf("%s is in a bridge, a trunk must be in none", link.Attrs().Name)
	}
	if link.Attrs().Promisc == 0 {
		if err := e.links.SetPromiscOn(link); err != nil {
			return fmt.Errorf("set %s promiscuous: %w", link.Attrs().Name, err)
		}
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := e.links.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

func (e *EBPF) adoptTrunk(link netlink.Link) (*trunk, error) {
	maps, err := e.maps(link, trunkIn)
	if err != nil {
		return nil, err
	}
	t := &trunk{link.Attrs().Index, maps["tns_vids"], maps["tns_counts"]}
	if t.vids == nil || t.counts == nil {
		closeMaps(maps)
		return nil, nil
	}
	return t, nil
}

func (e *EBPF) makeTrunk(link netlink.Link) (t *trunk, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift the limit of locked memory: %w", err)
	}
	t = &trunk{index: link.Attrs().Index}
	if t.vids, err = ebpf.NewMap(vidsMap()); err != nil {
		return nil, fmt.Errorf("make the map of VIDs: %w", err)
	}
	if t.counts, err = ebpf.NewMap(countsMap()); err != nil {
		t.vids.Close()
		return nil, fmt.Errorf("make the map of counts: %w", err)
	}
	p, err := trunkProgram(t.vids, t.counts)
	if err == nil {
		err = e.attach(link, trunkIn, p)
		p.Close()
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// pair is a VN's pair on a trunk. With make it is put right first; without it is nil if it is not there as a whole.
func (e *EBPF) pair(t *trunk, port string, vni dataplane.VNI, make bool) (*pair, error) {
	name := Device(port, vni)
	link, carrier, err := e.pairLinks(name, port, vni, make)
	if err != nil || link == nil {
		return nil, err
	}
	known := e.pairs[name]
	if known != nil && (known.port != link.Attrs().Index || known.carrier != carrier.Attrs().Index) {
		known.close()
		known = nil
		delete(e.pairs, name)
	}
	if known == nil {
		maps, err := e.maps(link, portOut)
		if err != nil {
			return nil, err
		}
		known = &pair{port, vni, link.Attrs().Index, carrier.Attrs().Index, maps["tns_pair"], maps["tns_pcps"]}
		if known.values == nil || known.pcps == nil {
			closeMaps(maps)
			known.values, known.pcps = nil, nil
		}
	}
	if make {
		if err := e.program(t, known, link, carrier); err != nil {
			return nil, err
		}
	}
	if known.values == nil {
		return nil, nil
	}
	e.pairs[name] = known
	return known, nil
}

// pairLinks is the two devices of a pair; without make, nil where they are not both there.
func (e *EBPF) pairLinks(name, port string, vni dataplane.VNI, make bool) (link, carrier netlink.Link, err error) {
	link, err = e.links.LinkByName(name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone && !make {
		return nil, nil, nil
	} else if gone {
		link, err = e.makePair(name, port, vni)
	}
	if err != nil {
		return nil, nil, err
	}
	if want := fmt.Sprintf(alias, vni, port); link.Attrs().Alias != want {
		return nil, nil, fmt.Errorf("device %s is there already, and its alias is %q, %q is needed", name, link.Attrs().Alias, want)
	}
	carrier, err = e.links.LinkByIndex(link.Attrs().ParentIndex)
	if err != nil {
		return nil, nil, fmt.Errorf("find the other end of %s: %w", name, err)
	}
	if !make {
		return link, carrier, nil
	}
	if carrier.Attrs().Flags&net.FlagUp == 0 {
		if err := e.links.LinkSetUp(carrier); err != nil {
			return nil, nil, fmt.Errorf("set %s up: %w", carrier.Attrs().Name, err)
		}
	}
	return link, carrier, nil
}

// makePair makes the devices. Neither has an IPv6 address, with all that this makes the kernel send.
func (e *EBPF) makePair(name, port string, vni dataplane.VNI) (netlink.Link, error) {
	trunk, err := e.links.LinkByName(port)
	if err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, trunk.Attrs().MTU
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerMTU = carrierOf(name), uint32(attrs.MTU)
	if err := e.links.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("make %s and %s: %w", name, veth.PeerName, err)
	}
	for _, end := range []string{name, veth.PeerName} {
		link, err := e.links.LinkByName(end)
		if err != nil {
			return nil, err
		}
		if err := e.silence(link); err != nil {
			return nil, err
		}
	}
	link, err := e.links.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if err := e.links.LinkSetAlias(link, fmt.Sprintf(alias, vni, port)); err != nil {
		return nil, fmt.Errorf("set the alias of %s: %w", name, err)
	}
	return e.links.LinkByName(name)
}

// program puts a pair's programs where they are missing, and has them know the trunk.
func (e *EBPF) program(t *trunk, p *pair, link, carrier netlink.Link) error {
	if p.values == nil {
		m, err := ebpf.NewMap(pairMap())
		if err != nil {
			return fmt.Errorf("make the map of %s: %w", link.Attrs().Name, err)
		}
		p.values = m
		if p.pcps, err = ebpf.NewMap(pcpsMap()); err != nil {
			return fmt.Errorf("make the map of %s: %w", link.Attrs().Name, err)
		}
	}
	if index, err := get32(p.values, pairTrunk); err != nil {
		return err
	} else if index != uint32(t.index) {
		if err := put32(p.values, pairTrunk, uint32(t.index)); err != nil {
			return err
		}
	}
	for _, w := range []struct {
		link netlink.Link
		hook hook
		load func() (*ebpf.Program, error)
	}{
		{link, portIn, popProgram},
		{carrier, leave, func() (*ebpf.Program, error) { return leaveProgram(p.values) }},
		{link, portOut, func() (*ebpf.Program, error) { return pushProgram(p.values, p.pcps) }}, // last: it is how the map is found again
	} {
		there, err := e.attached(w.link, w.hook)
		if err != nil {
			return err
		}
		if there != nil {
			continue
		}
		program, err := w.load()
		if err != nil {
			return err
		}
		err = e.attach(w.link, w.hook, program)
		program.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
