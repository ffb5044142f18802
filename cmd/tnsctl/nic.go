package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/evpn"
)

// nicHelp is the form of --nic.
const nicHelp = "vn=NAME|VNI,mac=MAC[,ip=ADDRESS]…[,policy=ID[:VERSION]]"

// nicList is the value of --nic, which may be given more than once.
type nicList []*tnsv1.NIC

func (l *nicList) String() string { return "" }

func (l *nicList) Type() string { return "NIC" }

func (l *nicList) Set(s string) error {
	nic, err := parseNIC(s)
	if err != nil {
		return err
	}
	*l = append(*l, nic)
	return nil
}

// parseNIC reads one --nic.
func parseNIC(s string) (*tnsv1.NIC, error) {
	nic := &tnsv1.NIC{}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return nil, fmt.Errorf("%q: want %s", part, nicHelp)
		}
		switch key {
		case "vn":
			if nic.Vn != nil {
				return nil, fmt.Errorf("vn=%s: a second VN; give each NIC its own --nic", value)
			}
			vn, err := parseVN(value)
			if err != nil {
				return nil, err
			}
			nic.Vn = vn
		case "mac":
			if nic.Mac != "" {
				return nil, fmt.Errorf("mac=%s: a second MAC; give each NIC its own --nic", value)
			}
			mac, err := evpn.ParseMAC(value)
			if err != nil {
				return nil, err
			}
			nic.Mac = mac.String()
		case "ip":
			ip, err := netip.ParseAddr(value)
			if err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
				return nil, fmt.Errorf("ip=%s: want an IPv4 or IPv6 unicast address", value)
			}
			nic.Ips = append(nic.Ips, ip.Unmap().String())
		case "policy":
			if nic.Policy != nil {
				return nil, fmt.Errorf("policy=%s: a second policy for one NIC", value)
			}
			policy, err := parsePolicy(value)
			if err != nil {
				return nil, err
			}
			nic.Policy = policy
		default:
			return nil, fmt.Errorf("%q: no such key: want %s", key, nicHelp)
		}
	}
	if nic.Vn == nil || nic.Mac == "" {
		return nil, fmt.Errorf("%q: vn and mac are needed: want %s", s, nicHelp)
	}
	return nic, nil
}

// parseVN reads a VN: all digits are a VNI, anything else is a name.
func parseVN(s string) (*tnsv1.VN, error) {
	if strings.Trim(s, "0123456789") != "" {
		return &tnsv1.VN{Id: &tnsv1.VN_Name{Name: s}}, nil
	}
	vni, err := strconv.ParseUint(s, 10, 32)
	if err != nil || vni == 0 || evpn.VNI(vni) > evpn.MaxVNI {
		return nil, fmt.Errorf("vn=%s: want a VNI of 1 to %d, or a name", s, evpn.MaxVNI)
	}
	return &tnsv1.VN{Id: &tnsv1.VN_Vni{Vni: uint32(vni)}}, nil
}

// parsePolicy reads ID[:VERSION].
func parsePolicy(s string) (*tnsv1.Policy, error) {
	id, version, versioned := strings.Cut(s, ":")
	p := &tnsv1.Policy{}
	n, err := strconv.ParseUint(id, 10, 24)
	if err == nil {
		p.Id = uint32(n)
		if versioned {
			n, err = strconv.ParseUint(version, 10, 8)
			p.Version = uint32(n)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("policy=%s: want ID[:VERSION], ID at most 16777215, VERSION at most 255", s)
	}
	return p, nil
}
