package evpn_test

import (
	"net/netip"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// From the best to the worst; equal ones in one row.
var ranking = [][]evpn.Candidate{
	{{Sticky: true, Sequence: 2, VTEP: ip4}},
	{{Sticky: true, VTEP: netip.MustParseAddr("9.0.0.1")}},
	{{Sticky: true, VTEP: netip.MustParseAddr("10.0.0.1")}},
	{{Sequence: 1<<32 - 1, VTEP: ip6}},
	{{Sequence: 2, VTEP: netip.MustParseAddr("9.0.0.1")}},
	{{Sequence: 2, VTEP: netip.MustParseAddr("10.0.0.1")}, {Sequence: 2, VTEP: netip.MustParseAddr("::ffff:10.0.0.1")}},
	{{Sequence: 2, VTEP: ip6}},
	{{Sequence: 2}},
	{{VTEP: ip4}},
	{{VTEP: ip6}},
	{{}},
}

func TestBetter(t *testing.T) {
	for i, better := range ranking {
		for j, worse := range ranking {
			for _, a := range better {
				for _, b := range worse {
					if evpn.Better(a, b) != (i < j) {
						t.Errorf("%+v wins over %+v is not %v", a, b, i < j)
					}
				}
			}
		}
	}
}

func TestSequenceNewer(t *testing.T) {
	for _, test := range []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true},
		{0, 1, false},
		{7, 7, false},
		{0, 1<<32 - 1, true},
		{1<<32 - 1, 0, false},
		{1<<31 - 1, 0, true},
		{1 << 31, 0, false}, // exactly 2^31 apart: lower, both ways
		{0, 1 << 31, false},
		{1<<31 + 1, 0, false},
		{1700000000, 1699999999, true},
	} {
		if got := evpn.SequenceNewer(test.a, test.b); got != test.want {
			t.Errorf("%d newer than %d: %v", test.a, test.b, got)
		}
	}
}
