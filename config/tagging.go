package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// portModes are the modes of a port; untagged is another word for access.
var portModes = word([]string{"access", "untagged", "dot1q", "vlan-aware", "ebpf"}, Access, Access, Dot1Q, VLANAware, EBPF)

// vidRange is one VID, or several that follow each other.
var vidRange = kind[VIDRange]{
	"a VID from 1 to 4094, or a range of them such as 100-199",
	func(s string) (r VIDRange, err error) {
		first, last, several := strings.Cut(s, "-")
		if !several {
			last = first
		}
		for text, into := range map[string]*uint16{first: &r.First, last: &r.Last} {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil || text != strconv.FormatUint(n, 10) {
				return r, errors.New("not a VID or a range")
			}
			if n < 1 || n > 4094 {
				return r, fmt.Errorf("%d is none", n)
			}
			*into = uint16(n)
		}
		if first == last {
			r.Last = r.First
		}
		if r.Last < r.First {
			return r, errors.New("ends before it begins")
		}
		return r, nil
	},
}

// tagging checks which VNs a port is in, and how they are told apart there.
func (c *checker) tagging(key string, r *rawPort, p *Port, vns []VN) {
	if !c.sound(join(key, "mode")) {
		if r.VN != nil {
			p.VNs = []PortVN{{Name: c.vnOf(join(key, "vn"), r.VN, vns)}}
		}
		return
	}
	if !p.Mode.Tagged() {
		for _, k := range []struct {
			name  string
			there bool
		}{{"vns", len(r.VNs) > 0}, {"segment", r.Segment != nil}, {"vids", len(r.VIDs) > 0}} {
			if k.there {
				c.report(join(key, k.name), nil, "of a port whose frames bear no tag", "want mode: dot1q, vlan-aware or ebpf with it")
			}
		}
		p.VNs = []PortVN{{Name: c.vnOf(join(key, "vn"), r.VN, vns)}}
		return
	}
	if r.VN != nil {
		c.report(join(key, "vn"), r.VN, "of a port whose frames are tagged", "want vns: ["+*r.VN+"]")
	} else if len(r.VNs) == 0 && c.sound(join(key, "vns")) {
		c.report(join(key, "vns"), nil, "missing", "want the VNs on the port, such as [blue, {name: red, vid: 200}]")
	}
	names := firsts[string]{}
	for i := range r.VNs {
		at, raw := index(join(key, "vns"), i), &r.VNs[i]
		v := PortVN{Name: c.vnOf(join(at, "name"), raw.Name, vns), VID: preset(c, join(at, "vid"), raw.VID, vid)}
		if v.Name == "" || names.once(c, v.Name, join(at, "name"), raw.Name, "list a VN once") {
			p.VNs = append(p.VNs, v)
		}
	}
	p.Segment = preset(c, join(key, "segment"), r.Segment, setting[string]{plainName, p.Name})
	p.VIDs = each(c, join(key, "vids"), r.VIDs, vidRange)
}

// segments checks that the ports of a segment agree about its VIDs, and gives each what one of them says, or the default: 1 is what switches use for untagged
// frames.
func (c *checker) segments(raw []rawPort, ports []Port) {
	first := map[string]int{}    // the port that says the segment's VIDs
	taken := map[string]string{} // by segment and VID: the key that fixes it
	fixed := map[string]uint16{} // by segment and VN
	owner := func(p *Port, what any) string { return fmt.Sprint(p.Segment, " ", what) }
	for i := range ports {
		p, key := &ports[i], index("ports", i)
		if p.Segment == "" {
			continue
		}
		if j := slices.IndexFunc(ports, func(o Port) bool { return o.Name == p.Segment && o.Segment != p.Segment }); j >= 0 {
			c.report(join(key, "segment"), raw[i].Segment, fmt.Sprintf("the name of %s, which is not of that segment", index("ports", j)), "want another name")
		}
		if len(p.VIDs) > 0 {
			if j, said := first[p.Segment]; said && !slices.Equal(ports[j].VIDs, p.VIDs) {
				c.report(join(key, "vids"), nil, fmt.Sprintf("not those of %s, which is of the same segment", index("ports", j)), "say them once")
			} else if !said {
				first[p.Segment] = i
			}
		}
		for v := range p.VNs {
			vn := &p.VNs[v]
			at := join(index(join(key, "vns"), v), "vid")
			if vn.VID == 0 || vn.Name == "" {
				continue
			}
			text := fmt.Sprint(vn.VID)
			if other := fixed[owner(p, vn.Name)]; other != 0 && other != vn.VID {
				c.report(at, &text, fmt.Sprintf("VN %q has VID %d on the segment", vn.Name, other), "want one VID for a VN on a segment")
				continue
			}
			fixed[owner(p, vn.Name)] = vn.VID
			if other, is := taken[owner(p, vn.VID)]; is && other != vn.Name {
				c.report(at, &text, fmt.Sprintf("that of VN %q on the segment", other), "want another VID for each VN")
			}
			taken[owner(p, vn.VID)] = vn.Name
		}
	}
	for i := range ports {
		if j, said := first[ports[i].Segment]; said {
			ports[i].VIDs = ports[j].VIDs
		} else if ports[i].Segment != "" {
			ports[i].VIDs = []VIDRange{{2, 4094}}
		}
	}
}

// serves reports whether the port is in the VN.
func (p *Port) serves(vn string) bool {
	_, on := p.VN(vn)
	return on
}

// vnText names the VNs of a port.
func (p *Port) vnText() string {
	var names []string
	for _, v := range p.VNs {
		names = append(names, strconv.Quote(v.Name))
	}
	if len(names) == 1 {
		return "VN " + names[0]
	}
	return "VNs " + strings.Join(names, ", ")
}

// SharedBridge and SharedVXLAN are the devices of all VNs on vlan-aware ports. No VN has them by default, since none has the VNI 0.
const (
	SharedBridge = "tnsbr0"
	SharedVXLAN  = "tnsvx0"
)

// sharedBridge gives the VNs on vlan-aware ports their devices, which have one MTU.
func (c *checker) sharedBridge(raw []rawEdgeVN, n *NVE) {
	first := -1
	for i := range n.VNs {
		vn := &n.VNs[i]
		if !slices.ContainsFunc(n.Ports, func(p Port) bool {
			_, on := p.VN(vn.Name)
			return on && p.Mode == VLANAware
		}) {
			continue
		}
		for _, d := range []struct {
			name string
			text *string
		}{{"bridge", raw[i].Bridge}, {"vxlan", raw[i].VXLAN}} {
			if d.text != nil {
				c.report(join(index("vns", i), d.name), d.text, "of a VN on a vlan-aware port", fmt.Sprintf("leave it out: such VNs share %s and %s", SharedBridge, SharedVXLAN))
			}
		}
		vn.Bridge, vn.VXLAN = SharedBridge, SharedVXLAN
		if first < 0 {
			first = i
		} else if vn.MTU != n.VNs[first].MTU {
			c.report(join(index("vns", i), "mtu"), raw[i].MTU, fmt.Sprintf("not that of %s, with which it shares a bridge", index("vns", first)), "want the same mtu for all VNs on vlan-aware ports")
		}
	}
}
