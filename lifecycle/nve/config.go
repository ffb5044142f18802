package nve

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/policy"
)

// Config is what the edge is told. It does not change while the edge runs, but for Servers (TakeServers).
type Config struct {
	ID          evpn.RouterID // NVE-ID
	AS          uint32
	VTEP        netip.Addr
	VNs         []VN
	Servers     []Server     // that are here without a TES
	Neighbors   []Neighbor   // who may speak for which TES
	FabricPeers []netip.Addr // whose End-of-RIB is waited for at start
	Segments    []Segment
	Express     *Express // the express path; nil: off
	Restarted   bool     // the kernel holds entries of a run before
	Standing    bool     // a guard has kept the sessions: other edges have the fabric routes of a run before, until the start is over

	Lifetimes   lifecycle.Lifetimes // all zero: the defaults
	Assembly    time.Duration       // how long an incomplete set is waited for
	Withdraw    time.Duration       // after it a withdraw of a VM's last request is a TERMINATE
	HoldOnLoss  time.Duration       // remote entries of a lost fabric session
	StartupHold time.Duration       // longest time without pruning after a start
	RestoreWait time.Duration       // longest time that requests wait for the fabric's tables after a start
	Memory      time.Duration       // how long the sequence of a MAC that is gone is remembered (at least 180 s)
	Duplicate   Duplicate
	Quotas      Quotas

	Profiles map[policy.ID]*policy.Profile // that POLICY can name; nil: there is no file of policies
}

// VN is a virtual network that this edge may serve.
type VN struct {
	Name           string
	VNI            evpn.VNI
	Import         []evpn.RouteTarget // empty: AS:VNI with any AS, or the form of RFC 8365 §5.1.2.1
	Export         []evpn.RouteTarget
	PerVMKeepAlive bool // beacons do not refresh its VMs
	Ports          []Port

	TES          []evpn.RouterID               // who may use it; empty: every TES behind one of its ports
	Credentialed bool                          // a new binding needs a credential
	Keys         map[uint16]evpn.CredentialKey // that credentials are made with, by number

	Tenant        string // whose it is; "": nobody's in particular
	MaxVMs        uint64 // of all TESs together, 0: no limit, as of the next two
	MaxVMsPerTES  uint64
	MaxMACs       uint64
	Baseline      policy.Baseline // that no profile may contradict
	DefaultPolicy policy.ID       // of requests without POLICY; zero: none
}

// Port is a port of the VN and the TESs that are behind it.
type Port struct {
	Name string
	TES  []evpn.RouterID

	Segment   string // what VIDs are unique on, if its frames are tagged; one of Config.Segments
	Bandwidth uint64 // that can be guaranteed to MACs behind it, bits a second; 0: no limit
	VIDs      uint64 // how many VNs can be told apart on it; 0: their frames are not tagged
}

// Neighbor tells for which TES-IDs the sessions from a prefix may speak.
type Neighbor struct {
	Prefix    netip.Prefix
	IDs       []evpn.RouterID // direct and empty: the neighbour's own address
	Reflector bool            // routes are told apart by ORIGINATOR_ID
}

// own is the TES-IDs that a direct neighbour certainly is: the configured ones, or its single address.
func (n *Neighbor) own() []evpn.RouterID {
	if len(n.IDs) > 0 || n.Reflector || !n.Prefix.IsSingleIP() {
		return n.IDs
	}
	if id, err := evpn.RouterIDFromAddr(n.Prefix.Addr()); err == nil {
		return []evpn.RouterID{id}
	}
	return nil
}

// Duplicate is duplicate MAC detection (RFC 7432 §15.1): Moves within Window; Recovery 0 means by hand.
type Duplicate struct {
	Moves    int
	Window   time.Duration
	Recovery time.Duration
}

// withDefaults fills what is zero with SPEC's defaults.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if c.Lifetimes == (lifecycle.Lifetimes{}) {
		c.Lifetimes = lifecycle.DefaultLifetimes
	}
	def(&c.Assembly, 2*time.Second)
	def(&c.Withdraw, 10*time.Second)
	def(&c.HoldOnLoss, 120*time.Second)
	def(&c.StartupHold, 120*time.Second)
	def(&c.RestoreWait, 4*time.Second)
	def(&c.Memory, time.Hour)
	def(&c.Duplicate.Window, 180*time.Second)
	if c.Duplicate.Moves == 0 {
		c.Duplicate.Moves = 5
	}
	return c
}
