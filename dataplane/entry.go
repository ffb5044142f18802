package dataplane

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

// String is the address as aa:bb:cc:dd:ee:ff.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// VNI is a VXLAN network identifier: 1 to 16777215.
type VNI uint32

// Kind is the kind of an entry.
type Kind uint8

const (
	Unicast  Kind = 1 + iota // FDB entry of a MAC: local (Port) or remote (VTEP)
	Flood                    // flood list member: VTEP
	Neighbor                 // ARP/ND suppression: IP is at MAC
	Port                     // a VM port; Open when any VM behind it is active
	Tag                      // the VIDs of a VN on a tagged port
	Policy                   // what holds for the frames of a VM, in force or prepared
)

// String is the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Unicast:
		return "unicast"
	case Flood:
		return "flood"
	case Neighbor:
		return "neighbor"
	case Port:
		return "port"
	case Tag:
		return "tag"
	case Policy:
		return "policy"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Key names one entry. It is comparable; fields that do not belong to the kind are zero.
type Key struct {
	Kind Kind
	VNI  VNI
	MAC  MAC        // Unicast, Policy
	IP   netip.Addr // Flood: the VTEP; Neighbor: the address
	Port string     // Port, Tag
}

// String is the key for people: "unicast 02:00:00:00:00:01 in 10100".
func (k Key) String() string {
	switch k.Kind {
	case Unicast, Policy:
		return fmt.Sprintf("%v %v in %d", k.Kind, k.MAC, k.VNI)
	case Port, Tag:
		return fmt.Sprintf("%v %s in %d", k.Kind, k.Port, k.VNI)
	}
	return fmt.Sprintf("%v %v in %d", k.Kind, k.IP, k.VNI)
}

// Compare orders keys by VNI, kind, and then what the kind is named by.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.VNI, o.VNI),
		cmp.Compare(k.Kind, o.Kind),
		cmp.Compare(string(k.MAC[:]), string(o.MAC[:])),
		k.IP.Compare(o.IP),
		cmp.Compare(k.Port, o.Port),
	)
}

// Entry is what the kernel should hold under a key. Entries are compared with Equal.
type Entry struct {
	Key
	LocalPort string     // Unicast: the port of a local MAC; then VTEP is invalid. Policy: the VM's port
	VTEP      netip.Addr // Unicast: where a remote MAC is
	LinkAddr  MAC        // Neighbor
	Open      bool       // Port: broadcast and multicast are forwarded to it
	InForce   bool       // Policy: frames meet it; else it is prepared only
	VIDs      VIDs       // Tag
	Policy    *VMPolicy  // Policy: nil in what a kernel lists. It does not change once it is given
	Digest    Digest     // Policy: of Policy; leave it zero. A kernel lists it, or zero where what it holds is not whole
}

// String is the entry for people: "unicast 02:00:00:00:00:01 in 10100 via 192.0.2.2".
func (e Entry) String() string {
	switch {
	case e.Kind == Unicast && e.LocalPort != "":
		return e.Key.String() + " on " + e.LocalPort
	case e.Kind == Unicast && e.VTEP.IsValid():
		return e.Key.String() + " via " + e.VTEP.String()
	case e.Kind == Neighbor:
		return e.Key.String() + " at " + e.LinkAddr.String()
	case e.Kind == Port && e.Open:
		return e.Key.String() + " open"
	case e.Kind == Port:
		return e.Key.String() + " closed"
	case e.Kind == Tag:
		return fmt.Sprintf("%v is VID %v", e.Key, e.VIDs)
	case e.Kind == Policy && e.InForce:
		return fmt.Sprintf("%v %.8s on %s in force", e.Key, e.Listed().Digest, e.LocalPort)
	case e.Kind == Policy:
		return fmt.Sprintf("%v %.8s on %s not in force", e.Key, e.Listed().Digest, e.LocalPort)
	}
	return e.Key.String()
}

// canonical is the entry without the fields that do not belong to its kind, so that equal wishes are equal values.
func (e Entry) canonical() Entry {
	c := Entry{Key: e.Key}
	switch e.Kind {
	case Unicast:
		c.LocalPort, c.VTEP = e.LocalPort, e.VTEP
	case Neighbor:
		c.LinkAddr = e.LinkAddr
	case Port:
		c.Open = e.Open
	case Tag:
		c.VIDs = e.VIDs
	case Policy:
		c.LocalPort, c.InForce, c.Digest = e.LocalPort, e.InForce, e.Digest
		if e.Policy != nil {
			p := e.Policy.Canonical()
			c.Policy, c.Digest = &p, p.Digest()
		}
	}
	return c
}

// Listed is the entry as a kernel lists it: without fields that do not belong to its kind, and with the digest of its policy in place of the policy.
// Entries that ask for the same are the same value.
func (e Entry) Listed() Entry {
	if e.Policy == nil || e.Digest == (Digest{}) {
		e = e.canonical()
	}
	e.Policy = nil
	return e
}

// Equal reports whether two entries ask for the same.
func (e Entry) Equal(o Entry) bool { return e.Listed() == o.Listed() }

// Absent reports whether the entry asks for nothing: a closed port is what a member port is without an entry.
func (e Entry) Absent() bool { return e.Kind == Port && !e.Open }

// Validate returns what makes the entry one that no kernel can hold, or nil.
func (e Entry) Validate() error {
	var why error
	switch {
	case e.VNI == 0 || e.VNI >= 1<<24:
		why = errors.New("the VNI is outside 1 to 16777215")
	case e.Kind == Unicast && (e.MAC[0]&1 != 0 || e.MAC == MAC{}):
		why = errors.New("the MAC is not a unicast address")
	case e.Kind == Unicast && (e.LocalPort == "") == !e.VTEP.IsValid():
		why = errors.New("either a local port or a VTEP is needed")
	case e.Kind == Unicast && e.VTEP.IsValid() && (e.VTEP.IsUnspecified() || e.VTEP.IsMulticast()):
		why = errors.New("the VTEP is not a unicast address")
	case e.Kind == Flood && (!e.IP.IsValid() || e.IP.IsUnspecified() || e.IP.IsMulticast()):
		why = errors.New("the VTEP is not a unicast address")
	case e.Kind == Neighbor && (!e.IP.IsValid() || e.IP.IsUnspecified() || e.IP.IsMulticast()):
		why = errors.New("the IP is not a unicast address")
	case e.Kind == Neighbor && (e.LinkAddr[0]&1 != 0 || e.LinkAddr == MAC{}):
		why = errors.New("the link address is not a unicast MAC")
	case (e.Kind == Port || e.Kind == Tag) && e.Key.Port == "":
		why = errors.New("the port has no name")
	case e.Kind == Tag:
		why = e.VIDs.check()
	case e.Kind == Policy && (e.MAC[0]&1 != 0 || e.MAC == MAC{}):
		why = errors.New("the MAC is not a unicast address")
	case e.Kind == Policy && e.LocalPort == "":
		why = errors.New("the VM's port is needed")
	case e.Kind == Policy && e.Policy == nil:
		why = errors.New("the policy is missing")
	case e.Kind == Policy:
		why = e.Policy.Validate()
	case e.Kind < Unicast || e.Kind > Policy:
		why = errors.New("there is no such kind")
	}
	if why != nil {
		return fmt.Errorf("%v: %w", e, why)
	}
	return nil
}

// Generation numbers the changes asked of a Reconciler: a later one is higher, 0 is none.
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
