package dataplane

import "fmt"

// Mode is how the frames of several VNs are told apart on a port.
type Mode uint8

const (
	Access    Mode = iota // untagged: the port is in one VN
	Dot1Q                 // a VLAN device of the kernel per VN, in the VN's bridge
	VLANAware             // the port is in one VLAN-aware bridge, which all VNs of such ports share
	EBPF                  // programs at the port put tags on and take them off, and a veth pair per VN goes to its bridge
)

// String is the mode as the configuration names it.
func (m Mode) String() string {
	switch m {
	case Access:
		return "access"
	case Dot1Q:
		return "dot1q"
	case VLANAware:
		return "vlan-aware"
	case EBPF:
		return "ebpf"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// Tagged reports whether frames on a port of that mode bear a VID. Such a port may be in several VNs; a VN has frames on it while there is a Tag
// entry of both.
func (m Mode) Tagged() bool { return m != Access }

// MemberPort is a port as a member of a VN.
type MemberPort struct {
	Name      string // device name
	Mode      Mode
	Bandwidth uint64 // bits/s that it can send; 0: not known, and nothing can be guaranteed there. The same in all VNs of the port
}

// AccessPorts is untagged ports by their names.
func AccessPorts(names ...string) []MemberPort {
	ports := make([]MemberPort, 0, len(names))
	for _, n := range names {
		ports = append(ports, MemberPort{Name: n})
	}
	return ports
}

// VIDs are the VLAN identifiers of a VN on a port, each 1 to 4094.
type VIDs struct {
	Send uint16 // what frames to the port bear; frames from the port may bear it
	Also uint16 // what frames from the port may bear as well, while a change is going on; 0: nothing else
}

// Has reports whether frames from the port may bear the VID.
func (v VIDs) Has(vid uint16) bool { return vid != 0 && (v.Send == vid || v.Also == vid) }

// String is the VIDs for people: "100", "100 and 200".
func (v VIDs) String() string {
	if v.Also == 0 {
		return fmt.Sprint(v.Send)
	}
	return fmt.Sprintf("%d and %d", v.Send, v.Also)
}

// check tells why these are no VIDs, or nil.
func (v VIDs) check() error {
	switch {
	case v.Send < 1 || v.Send > 4094:
		return fmt.Errorf("VID %d is outside 1 to 4094", v.Send)
	case v.Also > 4094:
		return fmt.Errorf("VID %d is outside 1 to 4094", v.Also)
	case v.Also == v.Send:
		return fmt.Errorf("VID %d is named twice", v.Send)
	}
	return nil
}
