package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// words is a dissection in few words, in the order of its fields.
func (d *Dissection) words() []string {
	var list []string
	for _, n := range d.Withdrawn {
		list = append(list, fmt.Sprintf("- %v %x", n.Family, n.Octets))
	}
	for _, n := range d.Announced {
		list = append(list, fmt.Sprintf("+ %v %x by %x", n.Family, n.Octets, n.NextHop))
	}
	for _, a := range d.Attributes {
		list = append(list, fmt.Sprintf("%x/%d of %d", a.Flags, a.Type, len(a.Value)))
	}
	if d.EndOfRIB != 0 {
		list = append(list, "end of "+d.EndOfRIB.String())
	}
	for _, u := range d.Unread {
		list = append(list, fmt.Sprintf("? %s: %x", u.What, u.Octets))
	}
	return list
}

func TestDissect(t *testing.T) {
	evpn2, evpn3 := fmt.Sprintf("l2vpn-evpn %x", nlri2), fmt.Sprintf("l2vpn-evpn %x", nlri3)
	cut := update(nil, nil, origin, pmsi)
	cut[len(cut)-10]++ // the length of the PMSI tunnel
	tests := map[string]struct {
		msg  []byte
		want []string
	}{
		"announced": {
			update(nil, nil, reach(EVPN, hop, nlri2, nlri3), origin), []string{"+ " + evpn2 + " by c0000201", "+ " + evpn3 + " by c0000201", "80/14 of 67", "40/1 of 1"},
		},
		"withdrawn":   {update(nil, nil, unreach(EVPN, nlri3)), []string{"- " + evpn3, "80/15 of 22"}},
		"end of EVPN": {update(nil, nil, unreach(EVPN)), []string{"80/15 of 3", "end of l2vpn-evpn"}},
		"end of IPv4": {update(nil, nil), []string{"end of ipv4-unicast"}},
		"end of a family that is not carried": {
			update(nil, nil, unreach(NewFamily(2, 1))), []string{"80/15 of 3", "end of afi 2 safi 1"},
		},
		"no end, there is more":     {update(nil, nil, unreach(EVPN), origin), []string{"80/15 of 3", "40/1 of 1"}},
		"no end, IPv4 is withdrawn": {update(unhex("08 0b"), nil, unreach(EVPN)), []string{"- ipv4-unicast 080b", "80/15 of 3"}},
		"IPv4, its next hop at the end": {
			update(unhex("18 c00002"), unhex("10 0a01 08 0b"), origin, attr(0x40, attrNextHop, hop...)),
			[]string{"- ipv4-unicast 18c00002", "+ ipv4-unicast 100a01 by c0000201", "+ ipv4-unicast 080b by c0000201", "40/1 of 1", "40/3 of 4"},
		},
		"memberships": {
			update(nil, nil, unreach(RouteTargets, []byte{0}, rtc)), []string{"- route-targets 00", fmt.Sprintf("- route-targets %x", rtc), "80/15 of 17"},
		},
		"a next hop of an odd length": {update(nil, nil, reach(EVPN, hop[:3], nlri3)), []string{"+ " + evpn3 + " by c00002", "80/14 of 27"}},
		"a route type that is not known, and one with a wrong length": {
			update(nil, nil, reach(EVPN, hop, unhex("09 01 07"), unhex("02 00"))), []string{"+ l2vpn-evpn 090107 by c0000201", "+ l2vpn-evpn 0200 by c0000201", "80/14 of 14"},
		},
		"an NLRI that is cut off, behind a whole one": {
			update(nil, nil, reach(EVPN, hop, nlri3, nlri2[:9])),
			[]string{"+ " + evpn3 + " by c0000201", "80/14 of 37", fmt.Sprintf("? EVPN NLRI cut off after 9 octets (RFC 7606 §5.3): %x", nlri2[:9])},
		},
		"a family that is not carried": {
			update(nil, nil, reach(NewFamily(2, 1), hop, unhex("08 20"))), []string{"80/14 of 11", "? NLRI of afi 2 safi 1: 0820"},
		},
		"MP_REACH_NLRI without a next hop": {
			update(nil, nil, attr(0x80, attrMPReach, 0, 25, 70, 4, 1, 2)), []string{"80/14 of 6", "? MP_REACH_NLRI cut off: 001946040102"},
		},
		"MP_UNREACH_NLRI without a family": {update(nil, nil, attr(0x80, attrMPUnreach, 0, 25)), []string{"80/15 of 2", "? MP_UNREACH_NLRI cut off: 0019"}},
		"an attribute that is cut off":     {cut, []string{"40/1 of 1", "? PMSI_TUNNEL cut off: c0160a0006002774c0000201"}},
		"an IPv4 prefix that is cut off":   {update(unhex("18 c0"), nil), []string{"? IPv4 prefix of 24 bits in 1 octets (RFC 7606 §5.3): 18c0"}},
		"lengths that do not fit": {
			finish(append(bytes.Clone(update(nil, nil)[:HeaderLength]), unhex("0000 0009 40")...), 0),
			[]string{"? UPDATE: total path attribute length of 9 octets, 1 are left: 0000000940"},
		},
		"too short": {unhex("ffffffffffffffffffffffffffffffff 0015 02 0000"), []string{"? UPDATE cut off: ffffffffffffffffffffffffffffffff0015020000"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Dissect(c.msg).words(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// An UPDATE longer than 4096 octets, as others exchange and record them (RFC 8654), is taken apart like any other.
func TestDissectExtendedMessage(t *testing.T) {
	var many [][]byte
	for range 200 {
		many = append(many, nlri2)
	}
	d := Dissect(update(nil, nil, reach(EVPN, hop, many...), origin))
	if len(d.Announced) != 200 || len(d.Attributes) != 2 || d.Unread != nil {
		t.Errorf("%d routes, %d attributes, unread %v", len(d.Announced), len(d.Attributes), d.Unread)
	}
}

// agrees tells where a dissection has less than, or another thing than, what a strict reader takes the message for.
func agrees(msg []byte) error {
	d := Dissect(msg)
	size := 0
	for _, n := range slices.Concat(d.Withdrawn, d.Announced) {
		size += len(n.Octets)
	}
	for _, u := range d.Unread {
		size += len(u.Octets)
	}
	if size > len(msg) {
		return fmt.Errorf("%d octets of %d", size, len(msg))
	}
	u, err := ParseUpdate(msg)
	if err != nil {
		return nil
	}
	if u.EndOfRIB != 0 && u.EndOfRIB != d.EndOfRIB {
		return fmt.Errorf("end of %v, a strict reader says of %v", d.EndOfRIB, u.EndOfRIB)
	}
	if err := within(u.Announced, d.Announced); err != nil {
		return fmt.Errorf("announced: %w", err)
	}
	// One with a wrong ESI counts as withdrawn, without it.
	all := slices.Concat(d.Withdrawn, d.Announced)
	for _, n := range all {
		if n.Family == EVPN && len(n.Octets) >= 20 {
			all = append(all, NLRI{Family: EVPN, Octets: withoutESI(n.Octets)})
		}
	}
	if err := within(u.Withdrawn, all); err != nil {
		return fmt.Errorf("withdrawn: %w", err)
	}
	return nil
}

// within tells which of some routes is not among all.
func within(some, all []NLRI) error {
	for _, n := range some {
		if !slices.ContainsFunc(all, func(m NLRI) bool {
			return n.Family == m.Family && bytes.Equal(n.Octets, m.Octets) && bytes.HasPrefix(m.NextHop, n.NextHop)
		}) {
			return fmt.Errorf("%v %x by %x is not there", n.Family, n.Octets, n.NextHop)
		}
	}
	return nil
}

func TestDissectAgreesWithTheFilter(t *testing.T) {
	wrongESI := update(nil, nil, reach(EVPN, hop, cat(unhex("02 21"), rd, unhex("01000000000000000001"), nlri2m[20:])), origin, emptyPath)
	if err := agrees(wrongESI); err != nil {
		t.Error(err)
	}
	for name, msg := range corpus() {
		if err := agrees(msg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := Dissect(msg); d.Unread != nil {
			t.Errorf("%s: unread %v", name, d.Unread)
		}
	}
	d := Dissect(request())
	if want := []NLRI{{EVPN, unhex("c6336401"), nlri2}}; !reflect.DeepEqual(d.Announced, want) {
		t.Errorf("a request announces %v, want %v", d.Announced, want)
	}
}

func FuzzDissect(f *testing.F) {
	for _, msg := range corpus() {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if err := agrees(msg); err != nil {
			t.Fatal(err)
		}
	})
}
