package dataplane

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Network is a VN on this edge: its bridge, its VXLAN device, and the ports of its VMs.
type Network struct {
	VNI     VNI
	Name    string       // the VN Name
	Bridge  string       // device name; of a VN with VLAN-aware ports, the bridge that all such VNs share
	VXLAN   string       // device name; likewise
	VTEP    netip.Addr   // local tunnel address
	UDPPort uint16       // of the tunnel; 0 = 4789
	MTU     int          // of the bridge and the VXLAN device, octets; 0 = leave
	Ports   []MemberPort // member ports facing TESs
}

// Port is the member port of a name.
func (n *Network) Port(name string) (p MemberPort, member bool) {
	for _, p := range n.Ports {
		if p.Name == name {
			return p, true
		}
	}
	return MemberPort{}, false
}

// VLANAware reports whether the VN is a VLAN of the bridge that it shares with all VNs of VLAN-aware ports: Bridge and VXLAN are those of all such VNs.
func (n *Network) VLANAware() bool {
	return slices.ContainsFunc(n.Ports, func(p MemberPort) bool { return p.Mode == VLANAware })
}

// ValidateNetworks tells all that keeps the networks from being on one edge, or nil: a VNI or device that two of them have, but for the bridge and the VXLAN device of VLAN-aware ports, a port that two have and is
// not tagged in both in the same mode, a VNI out of range, a missing name or VTEP.
func ValidateNetworks(networks []Network) error {
	var errs []error
	vnis := make(map[VNI]string)
	devices := make(map[string]usedDevice)
	var shared *Network // the first that shares its bridge
	for _, n := range networks {
		if n.VNI == 0 || n.VNI >= 1<<24 {
			errs = append(errs, fmt.Errorf("VN %s: VNI %d is outside 1 to 16777215", n.Name, n.VNI))
		}
		if other, taken := vnis[n.VNI]; taken {
			errs = append(errs, fmt.Errorf("VN %s: VNI %d is that of VN %s", n.Name, n.VNI, other))
		}
		vnis[n.VNI] = n.Name
		if !n.VTEP.IsValid() || n.VTEP.IsUnspecified() || n.VTEP.IsMulticast() {
			errs = append(errs, fmt.Errorf("VN %s: VTEP %v is not a unicast address", n.Name, n.VTEP))
		}
		own := []MemberPort{{Name: n.Bridge}, {Name: n.VXLAN}}
		switch {
		case n.VLANAware() && shared == nil:
			shared = &n
		case n.VLANAware():
			own = nil
			if n.Bridge != shared.Bridge || n.VXLAN != shared.VXLAN || n.VTEP != shared.VTEP || n.UDPPort != shared.UDPPort {
				errs = append(errs, fmt.Errorf("VN %s: bridge %s, VXLAN device %s, VTEP %v or UDP port %d is not that of VN %s, with which it shares VLAN-aware ports: %s, %s, %v, %d",
					n.Name, n.Bridge, n.VXLAN, n.VTEP, n.UDPPort, shared.Name, shared.Bridge, shared.VXLAN, shared.VTEP, shared.UDPPort))
			}
		}
		for _, d := range append(own, n.Ports...) {
			if d.Name == "" || len(d.Name) > 15 {
				errs = append(errs, fmt.Errorf("VN %s: %q is not a device name of 1 to 15 octets", n.Name, d.Name))
				continue
			}
			if d.Mode > EBPF {
				errs = append(errs, fmt.Errorf("VN %s: port %s has no mode that there is: %v", n.Name, d.Name, d.Mode))
			}
			other, taken := devices[d.Name]
			switch {
			case taken && (other.vn == n.Name || other.mode == Access || d.Mode == Access):
				errs = append(errs, fmt.Errorf("VN %s: device %s is used by VN %s", n.Name, d.Name, other.vn))
			case taken && other.mode != d.Mode:
				errs = append(errs, fmt.Errorf("VN %s: the mode of port %s is %v, in VN %s it is %v", n.Name, d.Name, d.Mode, other.vn, other.mode))
			}
			devices[d.Name] = usedDevice{n.Name, d.Mode}
		}
	}
	return errors.Join(errs...)
}

// usedDevice is who uses a device.
type usedDevice struct {
	vn   string
	mode Mode
}
