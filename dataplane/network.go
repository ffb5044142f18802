package dataplane

import (
	"errors"
	"fmt"
	"net/netip"
)

// Network is a VN on this edge: its bridge, its VXLAN device, and the ports of its VMs.
type Network struct {
	VNI     VNI
	Name    string     // the VN Name
	Bridge  string     // device name
	VXLAN   string     // device name
	VTEP    netip.Addr // local tunnel address
	UDPPort uint16     // of the tunnel; 0 = 4789
	MTU     int        // of the bridge and the VXLAN device, octets; 0 = leave
	Ports   []string   // member ports facing TESs
}

// ValidateNetworks tells all that keeps the networks from being on one edge, or nil: a VNI or device that two of them have, a VNI out of
// range, a missing name or VTEP.
func ValidateNetworks(networks []Network) error {
	var errs []error
	vnis := make(map[VNI]string)
	devices := make(map[string]string)
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
		for _, device := range append([]string{n.Bridge, n.VXLAN}, n.Ports...) {
			if device == "" || len(device) > 15 {
				errs = append(errs, fmt.Errorf("VN %s: %q is not a device name of 1 to 15 octets", n.Name, device))
				continue
			}
			if other, taken := devices[device]; taken {
				errs = append(errs, fmt.Errorf("VN %s: device %s is used by VN %s", n.Name, device, other))
			}
			devices[device] = n.Name
		}
	}
	return errors.Join(errs...)
}
