package tes

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// Operation is one wish of the VM manager for a VM.
type Operation struct {
	Op          evpn.Op // void with KeepAlive
	VM          evpn.VMID
	NICs        []NIC // associate and pre-associate only; none: those that are known
	Immigration bool  // associate and pre-associate only: the VM comes from another hypervisor (§3.3.6)
	DryRun      bool  // ask what would happen, change nothing
	KeepAlive   bool  // refresh the VM's lifetime and nothing else (§3.3.8)
	Credentials []Credential
	NoWait      bool          // return when the wish is on disk
	Timeout     time.Duration // how long to wait for the answer; default Config.ResponseTime
}

// NIC is one virtual network card: a MAC in a VN, and the IP addresses behind it.
type NIC struct {
	VN     string // its name, or its VNI in digits
	MAC    evpn.MAC
	IPs    []netip.Addr
	Policy *evpn.Policy
}

// Credential vouches for one binding (SPEC §2). The VM manager made it; the hypervisor only carries it.
type Credential struct {
	VN     string
	MAC    evpn.MAC
	IP     netip.Addr // invalid: the binding of the MAC alone
	KeyID  uint16
	Tag    [16]byte
	Expiry uint32 // Unix seconds; 0: none is sent
}

// Result is what became of an Operation.
type Result struct {
	VM       evpn.VMID
	Op       evpn.Op
	Answered bool // the NVE has answered, if only PENDING; if not, Status and Reason are void
	Status   evpn.Status
	Reason   evpn.Reason
	State    evpn.State // as the NVE acknowledged it
	Sequence uint32     // of the request
	Elapsed  time.Duration
	Routes   []RouteResult // by route, if answered
}

// RouteResult is the answer to one route of a request.
type RouteResult struct {
	VN     string
	VNI    evpn.VNI
	MAC    evpn.MAC
	IP     netip.Addr
	Status evpn.Status
	Reason evpn.Reason
}
