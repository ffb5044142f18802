package tes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// maxRoutes is how many routes the index of VMID-c can tell apart (SPEC §2).
const maxRoutes = 255

// checkOperation finds what is wrong with an operation whatever is known about the VM.
func checkOperation(o Operation) error {
	carriesNICs := !o.KeepAlive && (o.Op == evpn.PreAssociate || o.Op == evpn.Associate)
	switch {
	case o.VM == evpn.VMID{}:
		return &InputError{"vm", o.VM.String(), "a VMID is not all zero"}
	case !o.KeepAlive && (o.Op < evpn.PreAssociate || o.Op > evpn.Terminate):
		return &InputError{"op", strconv.Itoa(int(o.Op)), "want 1 (pre-associate) to 6 (terminate)"}
	case len(o.NICs) > 0 && !carriesNICs:
		return &InputError{"nic", strconv.Itoa(len(o.NICs)), "only associate and pre-associate carry NICs, the other operations use those that are known"}
	case o.Immigration && !carriesNICs:
		return &InputError{"immigration", "true", "only associate and pre-associate can be an immigration"}
	case o.KeepAlive && o.DryRun:
		return &InputError{"dry_run", "true", "a keep-alive changes nothing that could be tried"}
	case len(o.Credentials) > 0 && len(o.NICs) == 0:
		return &InputError{"credentials", strconv.Itoa(len(o.Credentials)), "credentials go with the NICs that they vouch for"}
	case o.Timeout < 0:
		return &InputError{"timeout", o.Timeout.String(), "want more than 0"}
	}
	return nil
}

// bindings makes of an operation's NICs the VM's set, one binding without IP for each (VN, MAC) and one for each IP, and tells which NVE
// serves it. All that is wrong comes in one error.
func (c *Config) bindings(o Operation) (set []store.Binding, nve evpn.RouterID, err error) {
	type station struct {
		vn  string
		mac evpn.MAC
	}
	type address struct {
		vn string
		ip netip.Addr
	}
	var errs []error
	wrong := func(key, value, format string, args ...any) {
		errs = append(errs, &InputError{key, value, fmt.Sprintf(format, args...)})
	}
	stations, addresses := map[station]bool{}, map[address]evpn.MAC{}
	var first VN
	for _, nic := range o.NICs {
		vn, err := c.findVN(nic.VN)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if nve == 0 {
			nve, first = vn.NVE, vn
		}
		if vn.NVE != nve {
			wrong("vn", vn.Name, "is served by NVE %v, but VN %s of the same VM by %v: a VM is at one NVE", vn.NVE, first.Name, nve)
		}
		switch at := (station{vn.Name, nic.MAC}); {
		case nic.MAC.IsGroup():
			wrong("mac", nic.MAC.String(), "is a multicast address, a NIC's has the lowest bit of its first octet clear")
		case nic.MAC == evpn.MAC{}:
			wrong("mac", nic.MAC.String(), "is all zero")
		case stations[at]:
			wrong("mac", nic.MAC.String(), "is there twice in VN %s", vn.Name)
		default:
			stations[at] = true
		}
		if p := nic.Policy; p != nil && p.Type >= 1<<24 {
			wrong("policy", strconv.FormatUint(uint64(p.Type), 10), "want a profile type id below %d", 1<<24)
		}
		set = append(set, store.Binding{VN: vn.Name, VNI: vn.VNI, MAC: nic.MAC, Policy: nic.Policy})
		for _, given := range nic.IPs {
			ip := given.Unmap()
			at := address{vn.Name, ip}
			holder, twice := addresses[at]
			switch {
			case !ip.IsValid() || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback():
				wrong("ip", given.String(), "want a unicast address without zone")
				continue
			case twice:
				wrong("ip", ip.String(), "is there twice in VN %s, with MAC %v and %v", vn.Name, holder, nic.MAC)
			}
			addresses[at] = nic.MAC
			set = append(set, store.Binding{VN: vn.Name, VNI: vn.VNI, MAC: nic.MAC, IP: ip, Policy: nic.Policy})
		}
	}
	if len(set) > maxRoutes {
		wrong("nic", strconv.Itoa(len(o.NICs)), "%d routes, a VM has at most %d (one per MAC and one per address)", len(set), maxRoutes)
	}
	for _, cr := range o.Credentials {
		vn, err := c.findVN(cr.VN)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i := slices.IndexFunc(set, func(b store.Binding) bool {
			return b.VN == vn.Name && b.MAC == cr.MAC && b.IP == cr.IP.Unmap()
		})
		if i < 0 {
			wrong("credentials", fmt.Sprintf("%s %v %v", vn.Name, cr.MAC, cr.IP), "vouches for no NIC of this VM")
			continue
		}
		set[i].Credential = &evpn.Credential{KeyID: cr.KeyID, Tag: cr.Tag}
		if cr.Expiry != 0 {
			set[i].Expiry = &cr.Expiry
		}
	}
	return set, nve, errors.Join(errs...)
}

// findVN is the VN with that name, or with that VNI if it is all digits.
func (c *Config) findVN(s string) (VN, error) {
	vni, notNumber := strconv.ParseUint(s, 10, 24)
	known := make([]string, 0, len(c.VNs))
	for _, vn := range c.VNs {
		if vn.Name == s && notNumber != nil || notNumber == nil && vni != 0 && vn.VNI == evpn.VNI(vni) {
			return vn, nil
		}
		known = append(known, fmt.Sprintf("%s (%d)", vn.Name, vn.VNI))
	}
	return VN{}, &InputError{"vn", strconv.Quote(s), "is not known, the known ones are " + strings.Join(known, ", ")}
}
