package wire

import (
	"encoding/binary"
	"slices"
)

// rule is what is done about one type of attribute.
type rule struct {
	name      string // empty: it is not known here
	flags     byte   // optional and transitive; others are a treat-as-withdraw (RFC 7606 §3 c), but see judgeAttribute
	malformed Decision
	subcode   uint8 // of UpdateError, should a reset become necessary
	section   string
	wrong     func(v []byte, s *Session) string // tells what is wrong with a value, or ""
	from      scope
}

// scope is where an attribute may come from; what comes from elsewhere is discarded.
type scope uint8

const (
	anywhere scope = iota
	insideAS       // from the same AS
	nowhere        // GoBGP would read it, with a reader that is not trusted, and we have no use for it: discarded even where it is well-formed
)

// rules are the attributes that are known, with the section that decides where one is malformed. MP_REACH_NLRI and MP_UNREACH_NLRI are judged by
// themselves (Filter.judgeReach, Filter.judgeUnreach): there the decision is Reset.
var rules = [256]rule{
	attrOrigin:          {"ORIGIN", wellKnown, Withdraw, UpdateBadOrigin, "RFC 7606 §7.1", wrongOrigin, anywhere},
	attrASPath:          {"AS_PATH", wellKnown, Withdraw, UpdateMalformedASPath, "RFC 7606 §7.2", wrongASPath, anywhere},
	attrNextHop:         {"NEXT_HOP", wellKnown, Withdraw, UpdateBadNextHop, "RFC 7606 §7.3", wrongNextHop, anywhere},
	attrMED:             {"MULTI_EXIT_DISC", optionalNonTransitive, Withdraw, UpdateLength, "RFC 7606 §7.4", lengthIs(4), anywhere},
	attrLocalPref:       {"LOCAL_PREF", wellKnown, Withdraw, UpdateLength, "RFC 7606 §7.5", lengthIs(4), insideAS},
	attrAtomicAggregate: {"ATOMIC_AGGREGATE", wellKnown, Discard, UpdateLength, "RFC 7606 §7.6", lengthIs(0), anywhere},
	attrAggregator:      {"AGGREGATOR", optionalTransitive, Discard, UpdateLength, "RFC 7606 §7.7", wrongAggregator, anywhere},
	attrCommunities:     {"COMMUNITIES", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 7606 §7.8", multipleOf(4), anywhere},
	attrOriginatorID:    {"ORIGINATOR_ID", optionalNonTransitive, Withdraw, UpdateOptionalAttribute, "RFC 7606 §7.9", lengthIs(4), insideAS},
	attrClusterList:     {"CLUSTER_LIST", optionalNonTransitive, Withdraw, UpdateOptionalAttribute, "RFC 7606 §7.10", multipleOf(4), insideAS},
	attrMPReach:         {"MP_REACH_NLRI", optionalNonTransitive, Reset, UpdateOptionalAttribute, "RFC 7606 §7.11", nil, anywhere},
	attrMPUnreach:       {"MP_UNREACH_NLRI", optionalNonTransitive, Reset, UpdateOptionalAttribute, "RFC 7606 §7.12", nil, anywhere},
	attrExtended:        {"EXTENDED COMMUNITIES", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 7606 §7.14", multipleOf(communityLength), anywhere},
	attrAS4Path:         {"AS4_PATH", optionalTransitive, Discard, UpdateOptionalAttribute, "RFC 6793 §6", wrongAS4Path, anywhere},
	attrAS4Aggregator:   {"AS4_AGGREGATOR", optionalTransitive, Discard, UpdateOptionalAttribute, "RFC 6793 §6", wrongAS4Aggregator, anywhere},
	attrPMSITunnel:      {"PMSI_TUNNEL", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 6514 §5", wrongPMSI, anywhere},
	attrTunnelEncap:     {"TUNNEL_ENCAPSULATION", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 9012 §13", wrongTunnels, nowhere},
	attrIPv6Extended:    {"IPV6 EXTENDED COMMUNITIES", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 7606 §7.15", multipleOf(20), nowhere},
	attrAIGP:            {"AIGP", optionalNonTransitive, Discard, UpdateOptionalAttribute, "RFC 7311 §3.2", nil, nowhere},
	attrLinkState:       {"BGP-LS", optionalNonTransitive, Discard, UpdateOptionalAttribute, "RFC 9552 §8.2.2", nil, nowhere},
	attrLarge:           {"LARGE_COMMUNITY", optionalTransitive, Withdraw, UpdateOptionalAttribute, "RFC 8092 §6", multipleOf(12), anywhere},
	attrPrefixSID:       {"PREFIX_SID", optionalTransitive, Discard, UpdateOptionalAttribute, "RFC 8669 §6", nil, nowhere},
}

func lengthIs(n int) func([]byte, *Session) string {
	return func(v []byte, _ *Session) string {
		if len(v) != n {
			return "of a wrong length"
		}
		return ""
	}
}

// multipleOf wants at least one element: the lists may not be empty.
func multipleOf(n int) func([]byte, *Session) string {
	return func(v []byte, _ *Session) string {
		if len(v) == 0 || len(v)%n != 0 {
			return "of a wrong length"
		}
		return ""
	}
}

func wrongOrigin(v []byte, _ *Session) string {
	if len(v) != 1 || v[0] > 2 {
		return "of a wrong length or value"
	}
	return ""
}

func (s *Session) asSize() int {
	if s.FourOctetAS {
		return 4
	}
	return 2
}

func wrongASPath(v []byte, s *Session) string { return wrongPath(v, s.asSize(), s.Internal) }

// wrongAS4Path lets confederation segments pass, which are left out alone (RFC 6793 §6).
func wrongAS4Path(v []byte, _ *Session) string {
	if len(v) == 0 {
		return "of a wrong length"
	}
	return wrongPath(v, 4, true)
}

// wrongNextHop wants a host's address (RFC 4271 §6.3). Only UPDATEs with NLRI outside of MP_REACH_NLRI have it judged.
func wrongNextHop(v []byte, _ *Session) string {
	if len(v) != 4 || !hostAddress(v) {
		return "of a wrong length, or no host's address"
	}
	return ""
}

// hostAddress reports whether an address of 4 or 16 octets is one that a host can have.
func hostAddress(b []byte) bool {
	if len(b) == 4 {
		return b[0] != 0 && b[0] < 224
	}
	return b[0] != 0xff && slices.ContainsFunc(b, func(v byte) bool { return v != 0 })
}

func wrongAggregator(v []byte, s *Session) string {
	size := s.asSize()
	if len(v) != size+4 {
		return "of a wrong length"
	}
	if asNumber(v, size) == 0 {
		return "of AS number 0 (RFC 7607)"
	}
	return ""
}

func wrongAS4Aggregator(v []byte, _ *Session) string {
	return wrongAggregator(v, &Session{FourOctetAS: true})
}

// wrongTunnels wants at least one TLV, and each to end with its last sub-TLV, whose length has two octets from type 128 on (RFC 9012 §2, §13).
func wrongTunnels(v []byte, _ *Session) string {
	const cut = "with a TLV that is cut off"
	if len(v) == 0 {
		return "of a wrong length"
	}
	for len(v) > 0 {
		if len(v) < 4 || len(v)-4 < int(binary.BigEndian.Uint16(v[2:])) {
			return cut
		}
		subs := v[4 : 4+binary.BigEndian.Uint16(v[2:])]
		for v = v[4+len(subs):]; len(subs) > 0; {
			header, length := 2, 0
			if subs[0] >= 128 {
				header = 3
			}
			switch {
			case len(subs) < header:
				return cut
			case header == 3:
				length = int(binary.BigEndian.Uint16(subs[1:]))
			default:
				length = int(subs[1])
			}
			if len(subs) < header+length {
				return cut
			}
			subs = subs[header+length:]
		}
	}
	return ""
}

// wrongPMSI wants an address behind ingress replication, and the fixed part of any other tunnel (RFC 6514 §5). A type that is not defined there is no error
// here: others were defined since (RFC 7385).
func wrongPMSI(v []byte, _ *Session) string {
	const fixed, ingressReplication = 5, 6
	if len(v) < fixed || v[1] == ingressReplication && len(v) != fixed+4 && len(v) != fixed+16 {
		return "of a wrong length"
	}
	return ""
}
