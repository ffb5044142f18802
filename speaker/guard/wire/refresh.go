package wire

import (
	"encoding/binary"
	"fmt"
)

// RefreshKind is the message subtype of a ROUTE-REFRESH (RFC 7313 §3.2).
type RefreshKind uint8

const (
	RefreshRequest RefreshKind = 0 // RFC 2918
	RefreshBegin   RefreshKind = 1 // BoRR: what is not announced again until RefreshEnd is stale
	RefreshEnd     RefreshKind = 2 // EoRR
)

// RouteRefresh is a ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §3.2).
//
//	 0         2          3        4
//	+---------+----------+--------+
//	| AFI 16  | subtype  | SAFI 8 |
//	+---------+----------+--------+
type RouteRefresh struct {
	Family Family
	Kind   RefreshKind // a receiver ignores a message of one that it does not know (RFC 7313 §5)
}

// ParseRouteRefresh reads a whole ROUTE-REFRESH. One of a wrong length is a *Error only where it is a RefreshBegin or RefreshEnd (RFC 7313 §5); other
// ones are to be ignored then, which the zero Family says.
func ParseRouteRefresh(msg []byte) (RouteRefresh, error) {
	if err := expect(msg, TypeRouteRefresh); err != nil {
		return RouteRefresh{}, err
	}
	body := msg[HeaderLength:]
	switch {
	case len(body) == 4:
		return RouteRefresh{Family: NewFamily(binary.BigEndian.Uint16(body), body[3]), Kind: RefreshKind(body[2])}, nil
	case len(body) > 2 && (RefreshKind(body[2]) == RefreshBegin || RefreshKind(body[2]) == RefreshEnd):
		return RouteRefresh{}, &Error{
			Code: RefreshError, Subcode: RefreshBadLength, Data: append([]byte(nil), msg...), Offset: HeaderLength, Octets: keep(body),
			Text: fmt.Sprintf("ROUTE-REFRESH of %d octets, it has 23", len(msg)),
		}
	}
	return RouteRefresh{}, nil
}

// Append appends the message.
func (r RouteRefresh) Append(b []byte) []byte {
	b, start := begin(b, TypeRouteRefresh)
	b = binary.BigEndian.AppendUint16(b, r.Family.AFI())
	return finish(append(b, byte(r.Kind), r.Family.SAFI()), start)
}
