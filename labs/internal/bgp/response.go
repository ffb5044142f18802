package bgp

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Response is what an edge says to one request of a TES: its NLRI and RESULT (SPEC §2).
type Response struct {
	TES      netip.Addr // the Ethernet tag
	MAC      string
	IP       netip.Addr
	VM       [16]byte // zero: it tells none
	Status   byte     // 0 is success
	State    byte
	Reason   byte
	Sequence uint32
}

// Responses reads the responses of an UPDATE to a TES. What is none, or not whole, is passed over.
func Responses(update []byte, tes netip.Addr) (found []Response) {
	withdrawn := take(&update, 2)
	take(&update, number(withdrawn))
	attributes := take(&update, number(take(&update, 2)))
	var routes [][]byte
	var communities []Community
	for len(attributes) > 0 {
		head := take(&attributes, 2)
		if len(head) < 2 {
			return nil
		}
		size := 1
		if head[0]&0x10 != 0 { // extended length
			size = 2
		}
		value := take(&attributes, number(take(&attributes, size)))
		switch head[1] {
		case 14: // MP_REACH_NLRI
			take(&value, 3)
			take(&value, number(take(&value, 1)))
			take(&value, 1)
			for len(value) > 0 {
				kind := take(&value, 1)
				route := take(&value, number(take(&value, 1)))
				if number(kind) == 2 {
					routes = append(routes, route)
				}
			}
		case 16: // EXTENDED COMMUNITIES
			for len(value) >= 8 {
				communities = append(communities, Community(take(&value, 8)))
			}
		}
	}
	answer, ok := result(communities)
	target, mine := responsesTo(tes), false
	for _, c := range communities {
		mine = mine || c == target
	}
	if !ok || !mine {
		return nil
	}
	for _, r := range routes {
		take(&r, 8+10)
		a := answer
		a.TES, _ = netip.AddrFromSlice(take(&r, 4))
		take(&r, 1)
		a.MAC = net.HardwareAddr(take(&r, 6)).String()
		a.IP, _ = netip.AddrFromSlice(take(&r, number(take(&r, 1))/8))
		found = append(found, a)
	}
	return found
}

// result is what RESULT and the VMID say.
func result(communities []Community) (a Response, ok bool) {
	for _, c := range communities {
		if c[0] != signalling {
			continue
		}
		switch c[1] {
		case subResult:
			ok = true
			a.Status, a.State, a.Reason, a.Sequence = c[2]>>4, c[2]&0xf, c[3], binary.BigEndian.Uint32(c[4:])
		case subVMIDa:
			copy(a.VM[:6], c[2:])
		case subVMIDb:
			copy(a.VM[6:12], c[2:])
		case subVMIDc:
			copy(a.VM[12:], c[2:6])
		}
	}
	return a, ok
}

// take cuts octets off the front, as many as there are.
func take(b *[]byte, n int) []byte {
	n = min(n, len(*b))
	front := (*b)[:n]
	*b = (*b)[n:]
	return front
}

// number is an integer of one or two octets.
func number(b []byte) (n int) {
	for _, o := range b {
		n = n<<8 | int(o)
	}
	return n
}
