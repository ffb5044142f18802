package config

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// NVE is the checked configuration of nved.
type NVE struct {
	ID           evpn.RouterID
	AS           uint32
	VTEP         netip.Addr
	ListenPort   int          // BGP port towards TESs, default 179
	Listen       []netip.Addr // local addresses for TES sessions, default all
	Fabric       []FabricPeer
	Express      *Express // nil: off
	TES          []TESPeer
	VNs          []VN
	Policies     *Policies // nil: there is no file of policies
	Ports        []Port
	Quotas       Quotas
	Hooks        []Hook
	Servers      []Server        // that are associated without a TES
	RouteTarget  RouteTargetForm // of VNs without explicit lists
	State        string
	Control      string // unix:///…
	GoBGPFabric  string
	GoBGPTES     string
	GoBGPWrite   bool
	Metrics      string // host:port, "" = none
	Guard        Guard
	Engine       Engine
	Record       string // directory of the sessions' messages, "" = none
	Lifetimes    Lifetimes
	AssemblyTime time.Duration // 2 s
	WithdrawTime time.Duration // 10 s: a withdraw of the last request is a TERMINATE after it
	HoldOnLoss   time.Duration // 120 s
	StartupHold  time.Duration // 120 s: longest time without pruning after a start
	Duplicate    Duplicate
	UDPPort      uint16 // VXLAN, 4789
	Log          Log
}

// FabricPeer is an EVPN speaker of the data centre, mostly a route reflector.
type FabricPeer struct {
	Address      netip.Addr
	AS           uint32
	Port         uint16 // 179
	LocalAddress netip.Addr
	HoldTime     time.Duration // 9 s
	ConnectRetry time.Duration // 1 s
	MultihopTTL  uint8         // eBGP over hops; 0 = directly connected
	Password     string

	TTLSecurityHops uint8 // GTSM (RFC 5082): how many hops packets may have come over, 1 = adjacent; 0 = not checked
	MessageRate     int   // messages a second that are read, beyond a burst of as many; 0 = no limit
	MaxRoutes       int   // 1,000,000: more of them end the session
}

// TESPeer is one TES, a prefix of TESs, or a route reflector that TESs are behind.
type TESPeer struct {
	Prefix       netip.Prefix    // a single address is a /32 or /128
	AS           uint32          // 0 = any
	IDs          []evpn.RouterID // which TES-IDs may be spoken for; direct: default the neighbour's own address
	Reflector    bool            // connect to it; TESs are told by ORIGINATOR_ID
	Port         uint16          // reflector: 179
	LocalAddress netip.Addr
	HoldTime     time.Duration
	ConnectRetry time.Duration
	MultihopTTL  uint8
	Password     string

	TTLSecurityHops uint8 // GTSM (RFC 5082): how many hops packets may have come over, 1 = adjacent; 0 = not checked
	MessageRate     int   // messages a second that are read, beyond a burst of as many; 0 = no limit
	MaxRoutes       int   // 1,000,000: more of them end the session
}

// VN is a virtual network.
type VN struct {
	Name           string
	VNI            evpn.VNI
	Import, Export []evpn.RouteTarget // empty: by RouteTargetForm; import matches the VNI with any AS
	PerVMKeepAlive bool               // `keepalive: per-vm`
	Bridge, VXLAN  string             // device names; default tnsbr<VNI>, tnsvx<VNI>; SharedBridge, SharedVXLAN of all VNs on vlan-aware ports
	MTU            int                // default 0 = leave
	NVE            evpn.RouterID      // tesd only: which NVE serves it, default the first

	TES          []evpn.RouterID               // nved only: who may use it; empty: every TES behind one of its ports
	Credentialed bool                          // nved only: `authorization: credential`, bindings need one as well
	Keys         map[uint16]evpn.CredentialKey // nved only: that its credentials are made with, by number

	Tenant        string          // nved only: whose it is, "" = nobody's
	DefaultPolicy policy.ID       // nved only: the profile of VMs that name none; zero: none
	Baseline      policy.Baseline // nved only: its tenant's and its own

	// nved only: how many may be in it, 0 = no limit.
	MaxVMs       uint64
	MaxVMsPerTES uint64
	MaxMACs      uint64
}

// Quotas is what the edge as a whole gives; 0 = no limit.
type Quotas struct {
	MaxVMsPerTES uint64
	Tenants      map[string]uint64 // MACs in all VNs of a tenant, by its name
	ACLRules     uint64
}

// Port is a port of the edge that a TES is behind.
type Port struct {
	Name string
	VNs  []PortVN // one, unless its mode is a tagged one
	TES  []evpn.RouterID

	Bandwidth uint64 // that may be guaranteed behind it, bits a second; 0 = no limit

	Mode    PortMode
	Segment string     // what VIDs are unique on, if its mode is a tagged one: the port's name, or that of several
	VIDs    []VIDRange // that nved chooses from, of the segment
}

// PortVN is a VN on a port.
type PortVN struct {
	Name string
	VID  uint16 // what it is known by there; 0 = nved chooses
}

// VIDRange is VIDs from First to Last, both included.
type VIDRange struct{ First, Last uint16 }

// VN is a VN on the port, by its name.
func (p *Port) VN(name string) (vn PortVN, on bool) {
	for _, v := range p.VNs {
		if v.Name == name {
			return v, true
		}
	}
	return PortVN{}, false
}

// PortMode is how VNs are told apart on a port.
type PortMode uint8

const (
	Access    PortMode = iota // one VN, whose frames bear no tag
	Dot1Q                     // a VLAN device of the kernel for each VN
	VLANAware                 // one VLAN-aware bridge for all VNs
	EBPF                      // programs at the port
)

// Tagged reports whether frames bear a VID.
func (m PortMode) Tagged() bool { return m != Access }

// RouteTargetForm is how a VN's route target is derived.
type RouteTargetForm uint8

const (
	ASVNI   RouteTargetForm = iota // AS:VNI, low 16 bits of the AS
	RFC8365                        // RFC 8365 §5.1.2.1
)

// Lifetimes is how long a state lasts without refresh (SPEC §3, ageing).
type Lifetimes struct {
	PreAssociated, Associated, Suspended, Emigrating, Orphaned, Terminated time.Duration
}

// Duplicate is duplicate MAC detection (RFC 7432 §15.1).
type Duplicate struct {
	Moves    int
	Window   time.Duration
	Recovery time.Duration // 0 = by hand
}

// Guard is the process of nved that has the sessions.
type Guard struct {
	User string // who it runs as once its sockets are open; nobody
}

// Engine is the process of nved that has everything else.
type Engine struct {
	MemoryLimit int64 // octets of resident memory above which it is replaced by a new one; 2 GiB, 0 = no limit
}

// Log is how a daemon logs.
type Log struct {
	Level string // logrus levels; info
	JSON  bool
}
