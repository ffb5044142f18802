package dataplane

import "net/netip"

// MAC is an Ethernet address.
type MAC [6]byte

// VNI is a VXLAN network identifier.
type VNI uint32

// Network is a VN on this edge: its bridge, its VXLAN device, and the ports of its VMs.
type Network struct {
	VNI     VNI
	Name    string     // the VN Name
	Bridge  string     // device name
	VXLAN   string     // device name
	VTEP    netip.Addr // local tunnel address
	UDPPort uint16     // 4789
	MTU     int        // of the bridge and the VXLAN device, octets; 0 = leave
	Ports   []string   // member ports facing TESs
}

// Kind is the kind of an entry.
type Kind uint8

const (
	Unicast  Kind = 1 + iota // FDB entry of a MAC: local (Port) or remote (VTEP)
	Flood                    // flood list member: VTEP
	Neighbor                 // ARP/ND suppression: IP is at MAC
	Port                     // a VM port; Open when any VM behind it is active
)

// Key names one entry. It is comparable; fields that do not belong to the kind are zero.
type Key struct {
	Kind Kind
	VNI  VNI
	MAC  MAC        // Unicast
	IP   netip.Addr // Flood: the VTEP; Neighbor: the address
	Port string     // Port
}

// Entry is what the kernel should hold under a key.
type Entry struct {
	Key
	LocalPort string     // Unicast: the port of a local MAC; then VTEP is invalid
	VTEP      netip.Addr // Unicast: where a remote MAC is
	LinkAddr  MAC        // Neighbor
	Open      bool       // Port: broadcast and multicast are forwarded to it
}

// Generation counts the changes of one key; 0 is none.
type Generation uint64

// Result tells that the kernel has (Err nil) or has not what Set or Unset of that generation asked for.
type Result struct {
	Key        Key
	Generation Generation
	Removed    bool
	Err        error
}

// Status is one entry as people see it.
type Status struct {
	Entry
	Generation Generation
	InKernel   bool
	Err        string
	Drops      uint64 // Port: frames dropped because their source address is not active there
}
