package wire

import "slices"

// Session is what both sides agreed on in their OPENs, as far as UPDATEs depend on it.
type Session struct {
	Families    []Family // that are carried
	FourOctetAS bool     // AS_PATH and AGGREGATOR have AS numbers of four octets (RFC 6793)
	Internal    bool     // both sides are of one AS
}

// Negotiate is what the OPENs that were sent and received allow. A side without any multiprotocol capability speaks IPv4Unicast.
func Negotiate(sent, received *Open) Session {
	s := Session{FourOctetAS: sent.FourOctetAS && received.FourOctetAS, Internal: sent.AS == received.AS}
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
