package wire

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// unhex reads octets with spaces between them.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		panic(err)
	}
	return b
}

// attr is an attribute with the flags as given, and a length of one octet or, with the flag, two.
func attr(flags, typ byte, value ...byte) []byte {
	b := []byte{flags, typ, byte(len(value))}
	if flags&flagExtended != 0 {
		b = []byte{flags, typ, byte(len(value) >> 8), byte(len(value))}
	}
	return append(b, value...)
}

// update is an UPDATE of these parts.
func update(withdrawn, nlri []byte, attributes ...[]byte) []byte {
	b, start := begin(nil, TypeUpdate)
	b = binary.BigEndian.AppendUint16(b, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	all := cat(attributes...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	return finish(append(append(b, all...), nlri...), start)
}

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Parts that most UPDATEs have.
var (
	origin    = attr(0x40, attrOrigin, 0)
	emptyPath = attr(0x40, attrASPath)
	asPath    = attr(0x40, attrASPath, unhex("02 01 0000fde9")...)
	localPref = attr(0x40, attrLocalPref, 0, 0, 0, 100)
	hop       = unhex("c0000201")

	rd     = unhex("0001 c6336401 0001")
	zeros  = make([]byte, 10)
	nlri2  = cat(unhex("02 25"), rd, zeros, unhex("00000000 30 020000000001 20 0a000001 002774"))
	nlri2m = cat(unhex("02 21"), rd, zeros, unhex("00000000 30 020000000001 00 002774"))
	nlri26 = cat(unhex("02 34"), rd, zeros, unhex("00000000 30 020000000001 80 20010db8000000000000000000000001 002774 0003e9"))
	nlri3  = cat(unhex("03 11"), rd, unhex("00000000 20 c0000201"))
	nlri36 = cat(unhex("03 1d"), rd, unhex("00000000 80 20010db8000000000000000000000001"))
	nlri1  = cat(unhex("01 19"), rd, unhex("00112233445566778899 00000000 002774"))
	nlri4  = cat(unhex("04 17"), rd, unhex("00112233445566778899 20 c0000201"))
	nlri5  = cat(unhex("05 22"), rd, zeros, unhex("00000000 18 0a010000 00000000 0003e9"))
	nlri56 = cat(unhex("05 3a"), rd, zeros, unhex("00000000 40 20010db8000000000000000000000000 00000000000000000000000000000000 0003e9"))
	nlri6  = cat(unhex("06 13"), rd, unhex("00000000 00 20 e1000001 20 c0000201"))[:21]
	nlri9  = cat(unhex("09 14"), rd, unhex("00000000 0002fde800002774"))
	rtc    = unhex("60 0000fde8 000220ca c0000201")

	target   = unhex("0002fde8 00002774")
	vxlan    = unhex("030c0000 00000008")
	ndFlags  = unhex("06080100 00000000") // FRR: a router's MAC/IP
	election = unhex("06060200 00000000") // FRR: DF election
	mobile   = unhex("06000000 00000007")
	pmsi     = attr(0xc0, attrPMSITunnel, unhex("00 06 002774 c0000201")...)
)

func reach(family Family, hop []byte, nlri ...[]byte) []byte {
	v := append(family.append(nil), byte(len(hop)))
	return appendAttribute(nil, optionalNonTransitive, attrMPReach, cat(v, hop, []byte{0}, cat(nlri...)))
}

func unreach(family Family, nlri ...[]byte) []byte {
	return appendAttribute(nil, optionalNonTransitive, attrMPUnreach, cat(family.append(nil), cat(nlri...)))
}

func extended(list ...[]byte) []byte { return attr(0xc0, attrExtended, cat(list...)...) }

// request is a request of a TES, with all communities of type 0x88 that it may have.
func request() []byte {
	return update(nil, nil, reach(EVPN, unhex("c6336401"), nlri2), origin, emptyPath, localPref,
		extended(unhex("000220ca c0000201"), unhex("88011200 6553f100"), unhex("88020001 02030405"), unhex("88030607 08090a0b"), unhex("88040c0d 0e0f0101"), unhex("88050000 2a010500")),
		attr(0xc0, attrLarge, unhex("0000fde8 000186aa 6553f100")...))
}

// corpus are UPDATEs as real peers send them.
func corpus() map[string][]byte {
	return map[string][]byte{
		"a TES's request":         request(),
		"an NVE's type 2":         update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, localPref, extended(target, vxlan)),
		"an NVE's type 2 moved":   update(nil, nil, reach(EVPN, hop, nlri2m), origin, emptyPath, localPref, extended(target, vxlan, mobile)),
		"type 3":                  update(nil, nil, reach(EVPN, hop, nlri3), origin, emptyPath, localPref, extended(target, vxlan), pmsi),
		"FRR: router MAC/IP":      update(nil, nil, reach(EVPN, hop, nlri2, nlri26), origin, asPath, extended(target, vxlan, unhex("0603020000000002"), ndFlags)),
		"FRR: Ethernet segment":   update(nil, nil, reach(EVPN, hop, nlri4), origin, asPath, extended(unhex("0602112233445566"), election)),
		"FRR: Ethernet A-D":       update(nil, nil, reach(EVPN, hop, nlri1), origin, asPath, extended(target, vxlan, unhex("0601000000000000"))),
		"IP prefixes":             update(nil, nil, reach(EVPN, hop, nlri5, nlri56), origin, asPath, extended(target, vxlan, unhex("0603020000000002"))),
		"reflected":               update(nil, nil, reach(EVPN, hop, nlri2, nlri2m, nlri26, nlri3, nlri36), origin, emptyPath, localPref, attr(0x80, attrOriginatorID, 192, 0, 2, 7), attr(0x80, attrClusterList, 192, 0, 2, 254), extended(target, vxlan)),
		"many types":              update(nil, nil, reach(EVPN, hop, nlri1, nlri6, nlri2, nlri9, nlri3, nlri4, nlri5), origin, emptyPath, localPref, extended(target)),
		"withdrawals":             update(nil, nil, unreach(EVPN, nlri1, nlri2, nlri2m, nlri26, nlri3, nlri4, nlri5, nlri56)),
		"end of EVPN":             update(nil, nil, unreach(EVPN)),
		"end of IPv4":             update(nil, nil),
		"memberships":             update(nil, nil, reach(RouteTargets, hop, rtc, []byte{0}, unhex("20 0000fde8")), origin, emptyPath, localPref),
		"IPv4":                    update(unhex("18 c00002 20 c6336401"), unhex("10 0a01 08 0b"), origin, asPath, attr(0x40, attrNextHop, hop...), attr(0x80, attrMED, 0, 0, 0, 1), attr(0xc0, attrCommunities, 0xff, 0xff, 0xff, 1), attr(0xc0, attrAggregator, unhex("0000fde9 c0000201")...), attr(0x40, attrAtomicAggregate)),
		"everything at once":      update(unhex("18 c00002"), unhex("10 0a01"), reach(EVPN, hop, nlri2, nlri3), unreach(RouteTargets, rtc), origin, asPath, attr(0x40, attrNextHop, hop...), localPref, extended(target, ndFlags, election, unhex("800bffff00000000")), attr(0xc0, 224, 1, 2, 3), attr(0xe0, attrLarge, make([]byte, 24)...), pmsi),
		"communities GoBGP loses": update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, localPref, extended(target, unhex("030c000100000008"), unhex("800affff00000000"), unhex("0004fde8cafebabe"), unhex("0c05000000000001"), unhex("06ff010203040506"), unhex("0600030000000009"))),
	}
}

// sessions are what an UPDATE may come over.
var sessions = []Session{
	everyFamily,
	{Families: []Family{EVPN}, FourOctetAS: true},
	{Families: []Family{EVPN, RouteTargets, IPv4Unicast}},
	{Families: []Family{EVPN, RouteTargets}, FourOctetAS: true, Internal: true},
}

func TestCorpusReachesGoBGP(t *testing.T) {
	for name, msg := range corpus() {
		for _, s := range sessions {
			if err := property(NewFilter(s), msg); err != nil {
				t.Errorf("%s over %+v: %v", name, s, err)
			}
		}
		v := NewFilter(everyFamily).Update(msg)
		if v.Decision > Skip {
			t.Errorf("%s: %v: %+v", name, v.Decision, v.Refusals)
		}
		if len(v.Forward) == 0 {
			t.Errorf("%s: nothing is forwarded", name)
		}
	}
}
