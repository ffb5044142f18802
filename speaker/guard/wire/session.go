package wire

import (
	"slices"

	"github.com/tns-project/tns/evpn"
)

// Session is what both sides agreed on in their OPENs, as far as UPDATEs depend on it.
type Session struct {
	Families    []Family // that are carried
	FourOctetAS bool     // AS_PATH and AGGREGATOR have AS numbers of four octets (RFC 6793)
	Internal    bool     // both sides are of one AS

	AS       uint32        // our own, and
	RouterID evpn.RouterID // our BGP identifier: a route with either in it has been here; 0 is none
}

// Negotiate is what the OPENs that were sent and received allow. A side without any multiprotocol capability speaks IPv4Unicast.
func Negotiate(sent, received *Open) Session {
	s := Session{FourOctetAS: sent.FourOctetAS && received.FourOctetAS, Internal: sent.AS == received.AS, AS: sent.AS, RouterID: sent.RouterID}
	for _, f := range sent.families() {
		if slices.Contains(received.families(), f) {
			s.Families = append(s.Families, f)
		}
	}
	return s
}

// Has reports whether the family is carried.
func (s *Session) Has(f Family) bool { return slices.Contains(s.Families, f) }

func (o *Open) families() []Family {
	if len(o.Families) == 0 {
		return []Family{IPv4Unicast}
	}
	return o.Families
}
