package evpn

import (
	"errors"
	"net/netip"
)

// errUnwritten marks contract stubs.
var errUnwritten = errors.New("unwritten")

// MAC is an Ethernet address, as on the wire.
type MAC [6]byte

// ParseMAC reads six colon- or dash-separated octets and refuses group (multicast) and all-zero addresses.
func ParseMAC(s string) (MAC, error) { return MAC{}, errUnwritten }

// IsGroup reports whether the group (multicast) bit is set.
func (m MAC) IsGroup() bool { return m[0]&1 == 1 }

func (m MAC) String() string { return "" }

// VNI is a VXLAN network identifier of 24 bits (RFC 7348 §5); 0 means "named by VN-NAME" in a request.
type VNI uint32

// MaxVNI is the largest VNI.
const MaxVNI VNI = 1<<24 - 1

// RouterID is a BGP router-id as 32 bits: a TES-ID or an NVE-ID.
type RouterID uint32

// ParseRouterID reads a dotted quad and refuses what SPEC refuses (below 1.0.0.0, within 16.0.0.0/8).
func ParseRouterID(s string) (RouterID, error) { return 0, errUnwritten }

// RouterIDFromAddr is the router-id with that IPv4 address's bits, checked like ParseRouterID.
func RouterIDFromAddr(a netip.Addr) (RouterID, error) { return 0, errUnwritten }

// Addr is the router-id as an IPv4 address.
func (r RouterID) Addr() netip.Addr { return netip.Addr{} }

func (r RouterID) String() string { return "" }

// VMID is a VM's identity, 16 octets (§3.3.1).
type VMID [16]byte

// ParseVMID reads a UUID.
func ParseVMID(s string) (VMID, error) { return VMID{}, errUnwritten }

func (v VMID) String() string { return "" }

// EthernetTag is the Ethernet Tag ID of a route (RFC 7432 §5).
type EthernetTag uint32

// ESI is an Ethernet segment identifier (RFC 7432 §5); the zero value is a single-homed one.
type ESI [10]byte

// RouteDistinguisher is the eight octets of an RD (RFC 4364 §4.2).
type RouteDistinguisher [8]byte

// NewRD is the type 1 RD `id:number`.
func NewRD(id RouterID, number uint16) RouteDistinguisher { return RouteDistinguisher{} }

// Split returns the administrator and number of a type 1 RD; ok is false for another type.
func (rd RouteDistinguisher) Split() (id RouterID, number uint16, ok bool) { return 0, 0, false }

func (rd RouteDistinguisher) String() string { return "" }

// Numbers of RDs with a fixed meaning (SPEC §1, §2).
const (
	BeaconRD    uint16 = 0     // TES: its beacon; NVE: reply beacon, and responses for an unknown VN
	UnknownVNRD uint16 = 0     // NVE: responses where the VN is unknown
	DryRunRD    uint16 = 65535 // either: dry runs
)
