package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

// Path attributes (RFC 4271 §4.3): flags, type, length in one octet or, with the flag, in two, value.
const (
	flagExtendedLength    = 0x10
	optionalNonTransitive = 0x80
	optionalTransitive    = 0xc0

	attrOriginatorID        = 9
	attrMPReach             = 14
	attrMPUnreach           = 15
	attrExtendedCommunities = 16
	attrPMSITunnel          = 22
	attrLargeCommunities    = 32
)

// Limits of a route that an engine announces. GoBGP, the table for people, has no extended messages (RFC 8654), and says nothing where it cannot send one.
const (
	maxCommunities = 32
	maxUpdate      = 4096
	updateReserve  = 256 // header, ORIGIN, AS_PATH, LOCAL_PREF, the frame of MP_REACH_NLRI, and what reflectors add
)

const (
	updateHeader = 16 + 2 + 1
	typeUpdate   = 2

	afiL2VPN = 25
	safiEVPN = 70
)

// Check refuses a route that cannot be sent, or that a GoBGP would mistake for another one.
func Check(r *evpn.Route) error {
	switch {
	case r.RD[0] != 0 || r.RD[1] > 2:
		return fmt.Errorf("route distinguisher of type %d, types 0 to 2 are known", binary.BigEndian.Uint16(r.RD[:]))
	case !plain(r.IP) && r.IP.IsValid():
		return fmt.Errorf("address %v: must be an IPv4 or IPv6 address without zone", r.IP)
	case !plain(r.NextHop):
		return fmt.Errorf("next hop %v: must be an IPv4 or IPv6 address without zone", r.NextHop)
	case r.Label > evpn.MaxVNI:
		return fmt.Errorf("label %d has more than 24 bits", r.Label)
	case len(r.Communities) > maxCommunities:
		return fmt.Errorf("%d extended communities, at most %d are sent", len(r.Communities), maxCommunities)
	case r.PMSI != nil && r.PMSI.Label > evpn.MaxVNI:
		return fmt.Errorf("PMSI tunnel label %d has more than 24 bits", r.PMSI.Label)
	case r.PMSI != nil && r.PMSI.Type == evpn.IngressReplication && !plain(r.PMSI.ID):
		return errors.New("PMSI tunnel with ingress replication needs the VTEP's address")
	}
	return nil
}

// plain reports whether the address goes through GoBGP as it is: it prints an IPv4-mapped one like the IPv4 address.
func plain(a netip.Addr) bool { return a.IsValid() && !a.Is4In6() && a.Zone() == "" }

// AppendAnnouncement appends the UPDATE that announces a route, to Message.Update: MP_REACH_NLRI, extended communities, PMSI tunnel, large communities. The
// communities keep their order. ORIGINATOR_ID is for reflectors to set. An error leaves b as it is.
func AppendAnnouncement(b []byte, r *evpn.Route) ([]byte, error) {
	if err := Check(r); err != nil {
		return b, fmt.Errorf("announce %v: %w", r.RouteKey, err)
	}
	start := len(b)
	update := beginUpdate(b)
	at := len(update)
	update = append(update, optionalNonTransitive, attrMPReach, 0, 0, afiL2VPN, safiEVPN, byte(r.NextHop.BitLen()/8))
	update = appendAddress(update, r.NextHop)
	update = append(update, 0)
	update, err := r.AppendNLRI(update)
	if err != nil {
		return b[:start], fmt.Errorf("announce %v: %w", r.RouteKey, err)
	}
	update[at+2] = byte(len(update) - at - 3)
	if n := len(r.Communities); n > 0 {
		update = appendAttributeHeader(update, attrExtendedCommunities, 8*n)
		for i := range r.Communities {
			update = append(update, r.Communities[i][:]...)
		}
	}
	if r.PMSI != nil {
		update = appendAttributeHeader(update, attrPMSITunnel, 5+r.PMSI.ID.BitLen()/8)
		update = r.PMSI.Append(update)
	}
	if n := len(r.LargeCommunities); n > 0 {
		update = appendAttributeHeader(update, attrLargeCommunities, 12*n)
		for _, c := range r.LargeCommunities {
			update = binary.BigEndian.AppendUint32(update, c.Global)
			update = binary.BigEndian.AppendUint32(update, c.Data1)
			update = binary.BigEndian.AppendUint32(update, c.Data2)
		}
	}
	if size := len(update) - start + updateReserve; size > maxUpdate {
		return b[:start], fmt.Errorf("announce %v: an UPDATE of about %d octets, at most %d can be sent", r.RouteKey, size, maxUpdate)
	}
	return finishUpdate(update, start), nil
}

// AppendWithdrawal appends the UPDATE that withdraws a route, to Message.Update.
func AppendWithdrawal(b []byte, k evpn.RouteKey) ([]byte, error) {
	start := len(b)
	update := beginUpdate(b)
	at := len(update)
	update = append(update, optionalNonTransitive, attrMPUnreach, 0, 0, afiL2VPN, safiEVPN)
	r := evpn.Route{RouteKey: k}
	update, err := r.AppendNLRI(update)
	if err != nil {
		return b[:start], fmt.Errorf("withdraw %v: %w", k, err)
	}
	update[at+2] = byte(len(update) - at - 3)
	return finishUpdate(update, start), nil
}

// beginUpdate appends header and length of withdrawn routes, none, and leaves place for that of the attributes.
func beginUpdate(b []byte) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	return append(b, 0, 0, typeUpdate, 0, 0, 0, 0)
}

func finishUpdate(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
	binary.BigEndian.PutUint16(b[start+updateHeader+2:], uint16(len(b)-start-updateHeader-4))
	return b
}

func appendAttributeHeader(b []byte, typ byte, length int) []byte {
	if length > 255 {
		return append(b, optionalTransitive|flagExtendedLength, typ, byte(length>>8), byte(length))
	}
	return append(b, optionalTransitive, typ, byte(length))
}

// appendAddress is Addr.AsSlice without its memory.
func appendAddress(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[:]...)
	}
	v := a.As16()
	return append(b, v[:]...)
}
