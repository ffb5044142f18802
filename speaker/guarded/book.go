package guarded

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

// book is the routes that are announced, each in one piece of memory, which is half of what it takes as a Route: by the octets of the key those of
// the rest.
//
//	key:  type (1)  RD (8)  Ethernet tag (4)  MAC (6)  IP (to the end)
//	rest: ESI (10)  label (4)  originator (4)  next hop, PMSI tunnel (a length of one octet each)  number of communities (1)  them (8 each)  large communities (12 each)
//
// It has only routes that link.Check lets through.
type book map[string]string

const (
	keyOctets       = 1 + 8 + 4 + 6 // without the IP
	communityOctets = 8
	largeOctets     = 12
)

// put remembers a route.
func (b book) put(r *evpn.Route) {
	var room [256]byte
	octets := appendKey(room[:0], r.RouteKey)
	n := len(octets)
	octets = append(octets, r.ESI[:]...)
	octets = binary.BigEndian.AppendUint32(octets, uint32(r.Label))
	octets = binary.BigEndian.AppendUint32(octets, uint32(r.OriginatorID))
	octets = append(octets, byte(r.NextHop.BitLen()/8))
	octets, _ = r.NextHop.AppendBinary(octets) // which never fails
	at := len(octets)
	octets = append(octets, 0)
	if r.PMSI != nil {
		octets = r.PMSI.Append(octets)
		octets[at] = byte(len(octets) - at - 1)
	}
	octets = append(octets, byte(len(r.Communities)))
	for i := range r.Communities {
		octets = append(octets, r.Communities[i][:]...)
	}
	for _, c := range r.LargeCommunities {
		octets = binary.BigEndian.AppendUint32(octets, c.Global)
		octets = binary.BigEndian.AppendUint32(octets, c.Data1)
		octets = binary.BigEndian.AppendUint32(octets, c.Data2)
	}
	text := string(octets)
	b[text[:n]] = text[n:]
}

// get is a route, if it is there.
func (b book) get(k evpn.RouteKey) (r evpn.Route, ok bool) {
	var room [64]byte
	text, ok := b[string(appendKey(room[:0], k))]
	if !ok {
		return r, false
	}
	rest := []byte(text)
	take := func(n int) (octets []byte) {
		octets, rest = rest[:n], rest[n:]
		return octets
	}
	r.RouteKey = k
	r.ESI = evpn.ESI(take(len(r.ESI)))
	r.Label = evpn.VNI(binary.BigEndian.Uint32(take(4)))
	r.OriginatorID = evpn.RouterID(binary.BigEndian.Uint32(take(4)))
	r.NextHop, _ = netip.AddrFromSlice(take(int(take(1)[0])))
	if n := int(take(1)[0]); n > 0 {
		octets := take(n)
		pmsi, _ := evpn.DecodePMSITunnel(octets) // that we have written
		pmsi.ID, _ = netip.AddrFromSlice(octets[5:])
		r.PMSI = &pmsi
	}
	if n := int(take(1)[0]); n > 0 {
		r.Communities = make([]evpn.ExtendedCommunity, n)
		for i := range r.Communities {
			r.Communities[i] = evpn.ExtendedCommunity(take(communityOctets))
		}
	}
	for len(rest) > 0 {
		c := take(largeOctets)
		r.LargeCommunities = append(r.LargeCommunities, evpn.LargeCommunity{
			Global: binary.BigEndian.Uint32(c), Data1: binary.BigEndian.Uint32(c[4:]), Data2: binary.BigEndian.Uint32(c[8:]),
		})
	}
	return r, true
}

// has reports whether a route is there.
func (b book) has(k evpn.RouteKey) bool {
	var room [64]byte
	_, ok := b[string(appendKey(room[:0], k))]
	return ok
}

// remove forgets a route, and reports whether it was there.
func (b book) remove(k evpn.RouteKey) bool {
	if !b.has(k) {
		return false
	}
	var room [64]byte
	delete(b, string(appendKey(room[:0], k)))
	return true
}

// keys is the routes' keys, in no order.
func (b book) keys() iter.Seq[evpn.RouteKey] {
	return func(yield func(evpn.RouteKey) bool) {
		for text := range b {
			if !yield(readKey(text)) {
				return
			}
		}
	}
}

func appendKey(b []byte, k evpn.RouteKey) []byte {
	b = append(append(b, byte(k.Type)), k.RD[:]...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(k.Tag)), k.MAC[:]...)
	b, _ = k.IP.AppendBinary(b) // which never fails
	return b
}

// readKey is the reverse of appendKey.
func readKey(text string) evpn.RouteKey {
	b := []byte(text)
	k := evpn.RouteKey{Type: evpn.RouteType(b[0]), RD: evpn.RouteDistinguisher(b[1:9]), Tag: evpn.EthernetTag(binary.BigEndian.Uint32(b[9:])), MAC: evpn.MAC(b[13:keyOctets])}
	k.IP, _ = netip.AddrFromSlice(b[keyOctets:])
	return k
}
