package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// routed is an UPDATE with a route of type 2 and these attributes beside ORIGIN and AS_PATH.
func routed(attributes ...[]byte) []byte {
	return update(nil, nil, append([][]byte{reach(EVPN, hop, nlri2), origin, emptyPath}, attributes...)...)
}

// instead is routed with the attribute in the place of ORIGIN or AS_PATH.
func instead(a []byte) []byte {
	if a[1] == attrOrigin {
		return update(nil, nil, reach(EVPN, hop, nlri2), a, emptyPath)
	}
	return update(nil, nil, reach(EVPN, hop, nlri2), origin, a)
}

// cutAt is an UPDATE whose attributes end after n octets of the last one.
func cutAt(n int, last []byte, before ...[]byte) []byte {
	return update(nil, nil, cat(before...), last[:n])
}

func TestDecisions(t *testing.T) {
	external := Session{Families: everyFamily.Families, FourOctetAS: true}
	old := Session{Families: everyFamily.Families}
	none := Session{Families: []Family{EVPN}, FourOctetAS: true, Internal: true}
	inEVPN := func(nlri []byte) []byte { return update(nil, nil, reach(EVPN, hop, nlri), origin, emptyPath) }
	tests := []struct {
		name     string
		msg      []byte
		session  Session
		decision Decision
		subcode  uint8 // of UpdateError, with Reset
	}{
		// RFC 4271 §6.3, RFC 7606 §3: the message.
		{"withdrawn routes beyond the message", append(update(nil, nil)[:HeaderLength], 0, 9, 0, 0), everyFamily, Reset, UpdateMalformedList},
		{"attributes beyond the message", append(update(nil, nil)[:HeaderLength], 0, 0, 0, 9), everyFamily, Reset, UpdateMalformedList},
		{"MP_REACH_NLRI twice (§3 g)", routed(reach(EVPN, hop, nlri3)), everyFamily, Reset, UpdateMalformedList},
		{"MP_UNREACH_NLRI twice (§3 g)", update(nil, nil, unreach(EVPN, nlri2), unreach(EVPN, nlri3)), everyFamily, Reset, UpdateMalformedList},
		{"another attribute twice (§3 g)", routed(localPref, localPref), everyFamily, Discard, 0},
		{"a malformed one, again (§3 g)", routed(localPref, attr(0x40, attrLocalPref)), everyFamily, Discard, 0},
		{"unknown well-known attribute", routed(attr(0x40, 99, 1)), everyFamily, Reset, UpdateUnknownWellKnown},
		{"ORIGIN missing (§3 d)", update(nil, nil, reach(EVPN, hop, nlri2), emptyPath), everyFamily, Withdraw, 0},
		{"AS_PATH missing (§3 d)", update(nil, nil, reach(EVPN, hop, nlri2), origin), everyFamily, Withdraw, 0},
		{"NEXT_HOP missing (§3 d)", update(nil, unhex("08 0a"), origin, emptyPath), everyFamily, Withdraw, 0},
		{"wrong flags: optional ORIGIN (§3 c)", instead(attr(0xc0, attrOrigin, 0)), everyFamily, Withdraw, 0},
		{"wrong flags: transitive MED (§3 c)", routed(attr(0xc0, attrMED, 0, 0, 0, 1)), everyFamily, Withdraw, 0},
		{"wrong flags: well-known EXTENDED COMMUNITIES (§3 c)", routed(attr(0x40, attrExtended, target...)), everyFamily, Withdraw, 0},
		{"wrong flags: MP_REACH_NLRI (§5.3)", update(nil, nil, attr(0xd0, attrMPReach, reach(EVPN, hop, nlri2)[3:]...), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"wrong flags: transitive AIGP (RFC 7311 §3.2)", routed(attr(0xc0, attrAIGP, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1)), everyFamily, Discard, 0},
		{"partial ORIGIN: means nothing", instead(attr(0x60, attrOrigin, 0)), everyFamily, Accept, 0},
		{"unused flags: mean nothing (RFC 4271 §4.3)", instead(attr(0x4f, attrOrigin, 0)), everyFamily, Accept, 0},
		{"extended length for a short value", instead(attr(0x50, attrOrigin, 0)), everyFamily, Accept, 0},
		{"attributes end in a header (§4)", cutAt(2, localPref, reach(EVPN, hop, nlri2), origin, emptyPath), everyFamily, Withdraw, 0},
		{"attributes end in a long header (§4)", cutAt(3, attr(0x50, attrLocalPref, 0, 0, 0, 1), reach(EVPN, hop, nlri2), origin, emptyPath), everyFamily, Withdraw, 0},
		{"attributes end in a value (§4)", cutAt(5, localPref, reach(EVPN, hop, nlri2), origin, emptyPath), everyFamily, Withdraw, 0},
		{"attributes end in MP_REACH_NLRI (§3 j)", cutAt(30, reach(EVPN, hop, nlri2), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"attributes end in MP_UNREACH_NLRI (§3 j)", cutAt(9, unreach(EVPN, nlri2)), everyFamily, Reset, UpdateOptionalAttribute},
		{"an error, and no routes (§5.2)", update(nil, nil, attr(0x40, attrOrigin, 9), emptyPath), everyFamily, Reset, UpdateBadOrigin},
		{"an error, and only withdrawals (§5.2)", update(nil, nil, unreach(EVPN, nlri2), attr(0x40, attrOrigin, 9)), everyFamily, Reset, UpdateBadOrigin},
		{"a discard, and only withdrawals (§5.2)", update(nil, nil, unreach(EVPN, nlri2), attr(0x40, attrAtomicAggregate, 9)), everyFamily, Discard, 0},
		{"wrong flags: MP_UNREACH_NLRI alone (§5.3)", update(nil, nil, attr(0xd0, attrMPUnreach, unreach(EVPN, nlri2)[3:]...)), everyFamily, Reset, UpdateOptionalAttribute},

		// RFC 7606 §7, and the RFCs of later attributes: each attribute.
		{"ORIGIN empty (§7.1)", instead(attr(0x40, attrOrigin)), everyFamily, Withdraw, 0},
		{"ORIGIN of 2 octets (§7.1)", instead(attr(0x40, attrOrigin, 0, 0)), everyFamily, Withdraw, 0},
		{"ORIGIN 3 (§7.1)", instead(attr(0x40, attrOrigin, 3)), everyFamily, Withdraw, 0},
		{"AS_PATH of one octet (§7.2)", instead(attr(0x40, attrASPath, 2)), everyFamily, Withdraw, 0},
		{"AS_PATH, segment cut off (§7.2)", instead(attr(0x40, attrASPath, 2, 2, 0, 0, 0xfd, 0xe9)), everyFamily, Withdraw, 0},
		{"AS_PATH, empty segment (§7.2)", instead(attr(0x40, attrASPath, 2, 0)), everyFamily, Withdraw, 0},
		{"AS_PATH, segment type 0 (§7.2)", instead(attr(0x40, attrASPath, 0, 1, 0, 0, 0xfd, 0xe9)), everyFamily, Withdraw, 0},
		{"AS_PATH, segment type 5 (§7.2)", instead(attr(0x40, attrASPath, 5, 1, 0, 0, 0xfd, 0xe9)), everyFamily, Withdraw, 0},
		{"AS_PATH, AS 0 (RFC 7607)", instead(attr(0x40, attrASPath, 2, 1, 0, 0, 0, 0)), everyFamily, Withdraw, 0},
		{"AS_PATH, confederation from another AS (RFC 5065 §5)", instead(attr(0x40, attrASPath, 3, 1, 0, 0, 0xfd, 0xe9)), external, Withdraw, 0},
		{"AS_PATH, confederation inside", instead(attr(0x40, attrASPath, 3, 1, 0, 0, 0xfd, 0xe9)), everyFamily, Accept, 0},
		{"AS_PATH of two-octet numbers where four are agreed on (§7.2)", instead(attr(0x40, attrASPath, 2, 1, 0xfd, 0xe9)), everyFamily, Withdraw, 0},
		{"AS_PATH of two-octet numbers", instead(attr(0x40, attrASPath, 2, 1, 0xfd, 0xe9)), old, Accept, 0},
		{"NEXT_HOP of 3 octets (§7.3)", update(nil, unhex("08 0a"), origin, emptyPath, attr(0x40, attrNextHop, 192, 0, 2)), everyFamily, Withdraw, 0},
		{"NEXT_HOP of 16 octets (§7.3)", update(nil, unhex("08 0a"), origin, emptyPath, attr(0x40, attrNextHop, make([]byte, 16)...)), everyFamily, Withdraw, 0},
		{"NEXT_HOP 224.0.0.1 (RFC 4271 §6.3)", update(nil, unhex("08 0a"), origin, emptyPath, attr(0x40, attrNextHop, 224, 0, 0, 1)), everyFamily, Withdraw, 0},
		{"NEXT_HOP, malformed and not used (RFC 4760 §3)", routed(attr(0x40, attrNextHop, 192)), everyFamily, Accept, 0},
		{"MED of 3 octets (§7.4)", routed(attr(0x80, attrMED, 0, 0, 1)), everyFamily, Withdraw, 0},
		{"LOCAL_PREF of 5 octets (§7.5)", routed(attr(0x40, attrLocalPref, 0, 0, 0, 0, 1)), everyFamily, Withdraw, 0},
		{"LOCAL_PREF from another AS (§7.5)", routed(attr(0x40, attrLocalPref, 1)), external, Discard, 0},
		{"ATOMIC_AGGREGATE of an octet (§7.6)", routed(attr(0x40, attrAtomicAggregate, 1)), everyFamily, Discard, 0},
		{"AGGREGATOR of 6 octets (§7.7)", routed(attr(0xc0, attrAggregator, 0xfd, 0xe9, 192, 0, 2, 1)), everyFamily, Discard, 0},
		{"AGGREGATOR of 8 octets for two-octet numbers (§7.7)", routed(attr(0xc0, attrAggregator, 0, 0, 0xfd, 0xe9, 192, 0, 2, 1)), old, Discard, 0},
		{"AGGREGATOR of AS 0 (RFC 7607)", routed(attr(0xc0, attrAggregator, 0, 0, 0, 0, 192, 0, 2, 1)), everyFamily, Discard, 0},
		{"COMMUNITIES empty (§7.8)", routed(attr(0xc0, attrCommunities)), everyFamily, Withdraw, 0},
		{"COMMUNITIES of 5 octets (§7.8)", routed(attr(0xc0, attrCommunities, 0, 0, 0, 0, 0)), everyFamily, Withdraw, 0},
		{"ORIGINATOR_ID of 3 octets (§7.9)", routed(attr(0x80, attrOriginatorID, 1, 2, 3)), everyFamily, Withdraw, 0},
		{"ORIGINATOR_ID from another AS (§7.9)", routed(attr(0x80, attrOriginatorID, 1, 2, 3, 4)), external, Discard, 0},
		{"CLUSTER_LIST empty (§7.10)", routed(attr(0x80, attrClusterList)), everyFamily, Withdraw, 0},
		{"CLUSTER_LIST of 6 octets (§7.10)", routed(attr(0x80, attrClusterList, 1, 2, 3, 4, 5, 6)), everyFamily, Withdraw, 0},
		{"CLUSTER_LIST from another AS (§7.10)", routed(attr(0x80, attrClusterList)), external, Discard, 0},
		{"MP_REACH_NLRI of 4 octets (§5.3)", update(nil, nil, attr(0x80, attrMPReach, 0, 25, 70, 0), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"MP_REACH_NLRI, next hop beyond it (§5.3)", update(nil, nil, attr(0x80, attrMPReach, 0, 25, 70, 200, 1, 2, 3), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"MP_REACH_NLRI, no next hop (§7.11)", update(nil, nil, reach(EVPN, nil, nlri2), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"MP_REACH_NLRI, next hop of 5 octets (§7.11)", update(nil, nil, reach(EVPN, make([]byte, 5), nlri2), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"MP_REACH_NLRI, IPv6 next hop for IPv4 (§7.11)", update(nil, nil, reach(IPv4Unicast, make([]byte, 16), unhex("080a")), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"MP_REACH_NLRI, next hop 0.0.0.0 (RFC 4271 §6.3)", update(nil, nil, reach(EVPN, make([]byte, 4), nlri2), origin, emptyPath), everyFamily, Withdraw, 0},
		{"MP_REACH_NLRI, multicast next hop (RFC 4271 §6.3)", update(nil, nil, reach(EVPN, append([]byte{0xff}, make([]byte, 15)...), nlri2), origin, emptyPath), everyFamily, Withdraw, 0},
		{"MP_UNREACH_NLRI of 2 octets (§5.3)", update(nil, nil, attr(0x80, attrMPUnreach, 0, 25)), everyFamily, Reset, UpdateOptionalAttribute},
		{"EXTENDED COMMUNITIES empty (§7.14)", routed(attr(0xc0, attrExtended)), everyFamily, Withdraw, 0},
		{"EXTENDED COMMUNITIES of 9 octets (§7.14)", routed(attr(0xc0, attrExtended, make([]byte, 9)...)), everyFamily, Withdraw, 0},
		{"unknown sub-type of type 0x06 (§7.14)", routed(extended(ndFlags)), everyFamily, Accept, 0},
		{"IPV6 EXTENDED COMMUNITIES of 19 octets (§7.15)", routed(attr(0xc0, attrIPv6Extended, make([]byte, 19)...)), everyFamily, Withdraw, 0},
		{"IPV6 EXTENDED COMMUNITIES, which GoBGP is not trusted with", routed(attr(0xc0, attrIPv6Extended, make([]byte, 20)...)), everyFamily, Discard, 0},
		{"AS4_PATH where numbers have four octets (RFC 6793 §4.1)", routed(attr(0xc0, attrAS4Path, 2, 1, 0, 0, 0xfd, 0xe9)), everyFamily, Discard, 0},
		{"AS4_PATH cut off (RFC 6793 §6)", routed(attr(0xc0, attrAS4Path, 2, 2, 0, 0, 0xfd, 0xe9)), old, Discard, 0},
		{"AS4_AGGREGATOR of 6 octets (RFC 6793 §6)", routed(attr(0xc0, attrAS4Aggregator, 0, 0, 0, 0, 0, 0)), old, Discard, 0},
		{"AS4_AGGREGATOR without AGGREGATOR, which resets GoBGP's session", routed(attr(0xc0, attrAS4Aggregator, 0, 1, 0xfd, 0xe9, 1, 1, 1, 1)), old, Accept, 0},
		{"PMSI_TUNNEL of 4 octets (RFC 6514 §5)", routed(attr(0xc0, attrPMSITunnel, 0, 6, 0, 0)), everyFamily, Withdraw, 0},
		{"PMSI_TUNNEL, ingress replication to 3 octets (RFC 6514 §5)", routed(attr(0xc0, attrPMSITunnel, 0, 6, 0, 0, 0, 1, 2, 3)), everyFamily, Withdraw, 0},
		{"PMSI_TUNNEL of type 0", routed(attr(0xc0, attrPMSITunnel, 0, 0, 0, 0, 0)), everyFamily, Accept, 0},
		{"LARGE_COMMUNITY empty (RFC 8092 §6)", routed(attr(0xc0, attrLarge)), everyFamily, Withdraw, 0},
		{"LARGE_COMMUNITY of 13 octets (RFC 8092 §6)", routed(attr(0xc0, attrLarge, make([]byte, 13)...)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION that GoBGP reads beyond its end (RFC 9012 §13)", routed(attr(0xc0, attrTunnelEncap, 0, 8, 0xff, 0xff, 1)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION empty (RFC 9012 §13)", routed(attr(0xc0, attrTunnelEncap)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION, header cut off (RFC 9012 §13)", routed(attr(0xc0, attrTunnelEncap, 0, 8, 0)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION, sub-TLV cut off (RFC 9012 §13)", routed(attr(0xc0, attrTunnelEncap, 0, 8, 0, 3, 6, 2, 1)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION, sub-TLV without length (RFC 9012 §13)", routed(attr(0xc0, attrTunnelEncap, 0, 8, 0, 2, 128, 0)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION not transitive (RFC 9012 §13)", routed(attr(0x80, attrTunnelEncap, 0, 8, 0, 0)), everyFamily, Withdraw, 0},
		{"TUNNEL_ENCAPSULATION, which GoBGP is not trusted with", routed(attr(0xc0, attrTunnelEncap, 0, 8, 0, 9, 6, 2, 1, 0, 128, 0, 2, 1, 1, 0, 8, 0, 0)), everyFamily, Discard, 0},
		{"AIGP", routed(attr(0x80, attrAIGP, 1, 0, 1)), everyFamily, Discard, 0},
		{"BGP-LS", routed(attr(0x80, attrLinkState, 4, 0, 0, 9)), everyFamily, Discard, 0},
		{"PREFIX_SID", routed(attr(0xc0, attrPrefixSID, 5, 0, 1)), everyFamily, Discard, 0},
		{"unknown optional transitive attribute (RFC 4271 §5)", routed(attr(0xc0, 224, 1, 2)), everyFamily, Accept, 0},
		{"unknown optional non-transitive attribute (RFC 4271 §5)", routed(attr(0x80, 224, 1, 2)), everyFamily, Accept, 0},

		// RFC 7606 §5.3, §5.4: NLRI.
		{"EVPN NLRI of one octet (§5.3)", inEVPN(nlri2[:1]), everyFamily, Reset, UpdateOptionalAttribute},
		{"EVPN NLRI cut off (§5.3)", inEVPN(nlri2[:30]), everyFamily, Reset, UpdateOptionalAttribute},
		{"EVPN withdrawal cut off (§5.3)", update(nil, nil, unreach(EVPN, nlri2[:30])), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 1 too short (§5.3)", inEVPN(resized(nlri1, -1)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2 empty: panics GoBGP", inEVPN([]byte{2, 0}), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2 without labels: panics GoBGP", inEVPN(resized(nlri2, -3)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2 ends in the MAC: panics GoBGP", inEVPN(resized(nlri2, -14)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2, IP of 128 bits in 4 octets: panics GoBGP", inEVPN(set(nlri2, 2+macIPAt, 128)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2, IP of 33 bits", inEVPN(set(nlri2, 2+macIPAt, 33)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2 with 4 octets of labels", inEVPN(resized(nlri2, 1)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 3 ends in the address: panics GoBGP", inEVPN(resized(nlri3, -2)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 3 with an octet too many", inEVPN(resized(nlri3, 1)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 4 ends in the ESI: panics GoBGP", inEVPN(resized(nlri4, -8)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 5 of another length", inEVPN(resized(nlri5, 1)), everyFamily, Reset, UpdateOptionalAttribute},
		{"type 2, MAC of 40 bits (RFC 7432 §7.2)", inEVPN(set(nlri2, 2+22, 40)), everyFamily, Skip, 0},
		{"type 5, prefix of 33 bits (RFC 9136 §3.1)", inEVPN(set(nlri5, 2+22, 33)), everyFamily, Skip, 0},
		{"RD of type 3, which GoBGP takes for 0:0", inEVPN(set(nlri2, 3, 3)), everyFamily, Skip, 0},
		{"ESI of type 1 that ends in 1", inEVPN(set(set(nlri2, 10, 1), 19, 1)), everyFamily, Skip, 0},
		{"mapped IPv4 address, which GoBGP takes for the IPv4 address", inEVPN(append(nlri36[:15:15], unhex("00000000000000000000ffff c0000201")...)), everyFamily, Skip, 0},
		{"unknown route type beside a known one (§5.4)", update(nil, nil, reach(EVPN, hop, nlri9, nlri2, nlri6), origin, emptyPath), everyFamily, Skip, 0},
		{"only unknown route types (§5.4)", inEVPN(nlri9), everyFamily, Skip, 0},
		{"only unknown route types are withdrawn (§5.4)", update(nil, nil, unreach(EVPN, nlri9)), everyFamily, Skip, 0},
		{"membership of 97 bits (§5.3)", update(nil, nil, reach(RouteTargets, hop, append([]byte{97}, make([]byte, 13)...)), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"membership of 31 bits (§5.3)", update(nil, nil, reach(RouteTargets, hop, append([]byte{31}, make([]byte, 4)...)), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"membership cut off (§5.3)", update(nil, nil, reach(RouteTargets, hop, rtc[:9]), origin, emptyPath), everyFamily, Reset, UpdateOptionalAttribute},
		{"membership of a prefix of route targets", update(nil, nil, reach(RouteTargets, hop, append([]byte{48}, make([]byte, 6)...)), origin, emptyPath), everyFamily, Skip, 0},
		{"membership of no route target", update(nil, nil, reach(RouteTargets, hop, set(rtc, 6, 9)), origin, emptyPath), everyFamily, Skip, 0},
		{"IPv4 prefix of 33 bits (§5.3)", update(nil, unhex("21 0a00000000"), origin, emptyPath, attr(0x40, attrNextHop, hop...)), everyFamily, Reset, UpdateInvalidNetwork},
		{"IPv4 prefix cut off (§5.3)", update(nil, unhex("18 0a00"), origin, emptyPath, attr(0x40, attrNextHop, hop...)), everyFamily, Reset, UpdateInvalidNetwork},
		{"withdrawn IPv4 prefix cut off (§5.3)", update(unhex("18 0a00"), nil), everyFamily, Reset, UpdateInvalidNetwork},
		{"IPv4, not negotiated", update(nil, unhex("18 0a0000"), origin, emptyPath, attr(0x40, attrNextHop, hop...)), none, Skip, 0},
		{"memberships, not negotiated", update(nil, nil, reach(RouteTargets, hop, rtc), origin, emptyPath), none, Skip, 0},
		{"IPv6, unknown here", update(nil, nil, reach(NewFamily(2, 1), make([]byte, 16), unhex("10 2001")), origin, emptyPath), everyFamily, Skip, 0},
		{"End-of-RIB of a family that is not negotiated", update(nil, nil, unreach(RouteTargets)), none, Skip, 0},
	}
	for _, tt := range tests {
		f := NewFilter(tt.session)
		v := f.Update(tt.msg)
		if v.Decision != tt.decision {
			t.Errorf("%s: %v, must be %v: %+v", tt.name, v.Decision, tt.decision, v.Refusals)
			continue
		}
		if v.Reset != nil && (v.Reset.Code != UpdateError || v.Reset.Subcode != tt.subcode) {
			t.Errorf("%s: NOTIFICATION %d/%d, must be 3/%d", tt.name, v.Reset.Code, v.Reset.Subcode, tt.subcode)
		}
		if v.Decision != Accept && len(v.Refusals) == 0 {
			t.Errorf("%s: %v without a refusal", tt.name, v.Decision)
		}
		for _, r := range v.Refusals {
			if end := r.Offset + min(len(r.Octets), OctetsKept); end > len(tt.msg) || !bytes.Equal(tt.msg[r.Offset:end], r.Octets) {
				t.Errorf("%s: refused octets %x at %d are not those of the message", tt.name, r.Octets, r.Offset)
			}
		}
		if v.EndOfRIB != 0 {
			t.Errorf("%s: End-of-RIB of %v", tt.name, v.EndOfRIB)
		}
		if err := property(f, tt.msg); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// resized is an NLRI with so many octets more or less, and a length that agrees.
func resized(nlri []byte, by int) []byte {
	b := append(bytes.Clone(nlri), make([]byte, max(0, by))...)[:len(nlri)+by]
	b[1] = byte(len(b) - 2)
	return b
}

func set(b []byte, at int, v byte) []byte {
	b = bytes.Clone(b)
	b[at] = v
	return b
}

// TestBadESI has a route that was right come again with an ESI that is not: the one that stands must not stay.
func TestBadESI(t *testing.T) {
	bad := set(set(nlri2, 10, 1), 19, 1)
	for _, msg := range [][]byte{update(nil, nil, reach(EVPN, hop, bad, nlri3), origin, emptyPath), update(nil, nil, unreach(EVPN, bad))} {
		f := NewFilter(everyFamily)
		if err := property(f, msg); err != nil {
			t.Error(err)
		}
		if v := f.verdict; v.Decision != Skip || len(v.Withdrawn) != 1 || !bytes.Equal(v.Withdrawn[0].Octets, nlri2) {
			t.Errorf("%v, withdrawn %x, must be %x", v.Decision, v.Withdrawn, nlri2)
		}
	}
}

// TestEveryAttribute sends attributes of each type, with all flags.
func TestEveryAttribute(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for typ := range 256 {
		for flags := range 16 {
			value := make([]byte, random.IntN(40))
			for i := range value {
				value[i] = byte(random.IntN(9))
			}
			msg := update(nil, nil, reach(EVPN, hop, nlri2, nlri3), origin, emptyPath, attr(byte(flags<<4), byte(typ), value...))
			for _, s := range sessions {
				if err := property(NewFilter(s), msg); err != nil {
					t.Fatalf("%x over %+v: %v", msg, s, err)
				}
			}
		}
	}
}

func TestWithdrawnInstead(t *testing.T) {
	v := NewFilter(everyFamily).Update(routed(attr(0x80, attrMED, 1), extended(target)))
	want := update(nil, nil, unreach(EVPN, nlri2))
	if v.Decision != Withdraw || len(v.Forward) != 1 || !bytes.Equal(v.Forward[0], want) {
		t.Errorf("%v, %x, must be %x", v.Decision, v.Forward, want)
	}
}

func TestKnownTypesBesideUnknown(t *testing.T) {
	v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri9, nlri2, nlri6, nlri3), origin, emptyPath, extended(target)))
	want := update(nil, nil, reach(EVPN, hop, nlri2, nlri3), origin, emptyPath, extended(target))
	if v.Skipped != 2 || len(v.Forward) != 1 || !bytes.Equal(v.Forward[0], want) {
		t.Errorf("skipped %d, %x, must be %x", v.Skipped, v.Forward, want)
	}
}

func TestForwardedAsItCame(t *testing.T) {
	for _, name := range []string{"a TES's request", "an NVE's type 2", "type 3", "reflected", "end of EVPN", "end of IPv4", "memberships", "withdrawals"} {
		msg := corpus()[name]
		v := NewFilter(everyFamily).Update(msg)
		if len(v.Forward) != 1 || !bytes.Equal(v.Forward[0], msg) {
			t.Errorf("%s: %x, must be %x", name, v.Forward, msg)
		}
	}
}

func TestAnnouncementWinsOverWithdrawal(t *testing.T) {
	other := set(nlri2, len(nlri2)-1, 9) // another label: the same route
	v := NewFilter(everyFamily).Update(update(nil, nil, unreach(EVPN, other, nlri3), reach(EVPN, hop, nlri2), origin, emptyPath))
	want := [][]byte{
		update(nil, nil, unreach(EVPN, nlri3)),
		update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath),
	}
	if len(v.Forward) != 2 || !bytes.Equal(v.Forward[0], want[0]) || !bytes.Equal(v.Forward[1], want[1]) {
		t.Errorf("%x, must be %x", v.Forward, want)
	}
}

// TestFullMessage has a message of 4096 octets be written again, whatever the length of its lengths.
func TestFullMessage(t *testing.T) {
	for _, nlri := range [][]byte{nlri2, bytes.Repeat(nlri2, 8)} {
		msg := update(nil, nil, reach(EVPN, hop, nlri), origin, emptyPath, attr(0xd0, attrExtended, bytes.Repeat(target, 400)...))
		msg = append(msg, attr(0xd0, 224, make([]byte, MaxLength-len(msg)-4)...)...)
		msg = update(nil, nil, msg[HeaderLength+4:])
		f := NewFilter(everyFamily)
		if err := property(f, msg); err != nil || len(msg) != MaxLength {
			t.Errorf("%d octets: %v", len(msg), err)
		}
		if msgs, _ := Pack(f.verdict.Changes()[:1], everyFamily); f.verdict.Decision != Accept || len(msgs) != 1 {
			t.Errorf("%v, packed into %d messages: %+v", f.verdict.Decision, len(msgs), f.verdict.Refusals)
		}
	}
}

func TestTooLongForGoBGP(t *testing.T) {
	// 500 communities fill a message; one of them has to be hidden, for which there is no room.
	all := append(bytes.Repeat(target, 499), ndFlags...)
	msg := update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, attr(0xd0, attrExtended, all...))
	if len(msg) > MaxLength {
		t.Fatalf("message of %d octets", len(msg))
	}
	fits := NewFilter(everyFamily).Update(msg)
	if fits.Decision != Accept || len(fits.Announced) != 1 {
		t.Errorf("%v: %+v", fits.Decision, fits.Refusals)
	}
	msg = append(msg, attr(0xc0, 224, make([]byte, MaxLength-len(msg)-3)...)...)
	msg = update(nil, nil, msg[HeaderLength+4:])
	v := NewFilter(everyFamily).Update(msg)
	if v.Decision != Withdraw || len(v.Withdrawn) != 1 || len(v.Announced) != 0 {
		t.Errorf("%v, %d withdrawn: %+v", v.Decision, len(v.Withdrawn), v.Refusals)
	}
}
