package evpn

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// RouterID is a BGP router-id as 32 bits: a TES-ID or an NVE-ID. 0 is none.
type RouterID uint32

// ParseRouterID reads a dotted quad and refuses what SPEC refuses (below 1.0.0.0, within 16.0.0.0/8).
func ParseRouterID(s string) (RouterID, error) {
	id, err := readRouterID(s)
	if err != nil {
		return 0, err
	}
	if err := id.Check(); err != nil {
		return 0, err
	}
	return id, nil
}

// RouterIDFromAddr is the router-id with that IPv4 address's bits, checked like ParseRouterID.
func RouterIDFromAddr(a netip.Addr) (RouterID, error) {
	if a = a.Unmap(); !a.Is4() {
		return 0, fmt.Errorf("router-id %s: not an IPv4 address", a)
	}
	id := routerIDOf(a)
	if err := id.Check(); err != nil {
		return 0, err
	}
	return id, nil
}

// Check tells why the router-id cannot be a TES-ID or NVE-ID (SPEC, Terms): RequestTarget and ResponseTarget put it where an automatic route
// target has a VNI (AutoRouteTarget: below 2^24; RFC8365RouteTarget: 0x10 and a VNI).
func (r RouterID) Check() error {
	switch {
	case r < 1<<24:
		return fmt.Errorf("router-id %s: below 1.0.0.0, could be read as a VNI's route target; take another", r)
	case r>>24 == 16:
		return fmt.Errorf("router-id %s: within 16.0.0.0/8, could be read as a VNI's route target; take another", r)
	}
	return nil
}

// Addr is the router-id as an IPv4 address.
func (r RouterID) Addr() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(r))
	return netip.AddrFrom4(b)
}

// String is the dotted quad.
func (r RouterID) String() string { return r.Addr().String() }

// AppendText appends what String returns.
func (r RouterID) AppendText(b []byte) ([]byte, error) { return r.Addr().AppendTo(b), nil }

// MarshalText is the text of String.
func (r RouterID) MarshalText() ([]byte, error) { return r.AppendText(nil) }

// UnmarshalText reads any dotted quad, also those that ParseRouterID refuses.
func (r *RouterID) UnmarshalText(text []byte) (err error) {
	*r, err = readRouterID(string(text))
	return err
}

func readRouterID(s string) (RouterID, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("router-id %q: not a dotted quad like 192.0.2.1", s)
	}
	return routerIDOf(a), nil
}

func routerIDOf(a netip.Addr) RouterID {
	b := a.As4()
	return RouterID(binary.BigEndian.Uint32(b[:]))
}
