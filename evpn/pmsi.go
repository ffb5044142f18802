package evpn

import (
	"fmt"
	"net/netip"
)

// PMSITunnel is the PMSI tunnel attribute (RFC 6514 §5).
//
//	 0        1          2            5
//	+--------+----------+------------+------------------------------------------+
//	| flags  | type 8   | label 24   | identifier: ingress replication: an IP   |
//	+--------+----------+------------+------------------------------------------+
type PMSITunnel struct {
	Type  uint8 // 6 = ingress replication, 0 = no tunnel information
	Label VNI
	ID    netip.Addr // ingress replication: the VTEP
}

// IngressReplication is the PMSI tunnel type 6 (RFC 6514 §5, RFC 8365 §9).
const IngressReplication uint8 = 6

// Append appends the attribute's value, with flags 0 and the label as a VNI, unshifted (RFC 8365 §5.1.3).
func (p *PMSITunnel) Append(b []byte) []byte {
	b = append(b, 0, p.Type)
	b = appendLabel(b, p.Label)
	return append(b, p.ID.AsSlice()...)
}

// DecodePMSITunnel reads the attribute's value. The flags are ignored, and so is the identifier of any type but ingress replication.
func DecodePMSITunnel(b []byte) (PMSITunnel, error) {
	if len(b) < 5 {
		return PMSITunnel{}, fmt.Errorf("read PMSI tunnel: %d octets, at least 5 are needed", len(b))
	}
	p := PMSITunnel{Type: b[1], Label: label(b[2:])}
	if p.Type == IngressReplication {
		id, ok := netip.AddrFromSlice(b[5:])
		if !ok {
			return PMSITunnel{}, fmt.Errorf("read PMSI tunnel: identifier of %d octets, an address has 4 or 16", len(b)-5)
		}
		p.ID = id
	}
	return p, nil
}
