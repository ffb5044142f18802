package wire

import (
	"slices"
	"testing"
)

// TestLoops: a route that has been here is a withdrawal of what it replaces, and no error (RFC 4271 §9.1.2, RFC 4456 §8).
func TestLoops(t *testing.T) {
	inside := Session{Families: []Family{EVPN}, FourOctetAS: true, Internal: true, AS: 65000, RouterID: 0xc0000263}
	outside, old := inside, inside
	outside.Internal, old.Internal, old.FourOctetAS = false, false, false
	path := func(octets string) []byte { return instead(attr(0x40, attrASPath, unhex(octets)...)) }
	tests := []struct {
		name    string
		session Session
		msg     []byte
		loop    bool
	}{
		{"our AS alone", outside, path("02 01 0000fde8"), true},
		{"our AS behind others", outside, path("02 02 0000fde9 0000fdea 01 02 0000fdeb 0000fde8"), true},
		{"our AS, internal", inside, path("02 01 0000fde8"), true},
		{"our AS in two octets", old, path("02 02 fde9 fde8"), true},
		{"our AS in AS4_PATH", old, update(nil, nil, reach(EVPN, hop, nlri2), origin, attr(0x40, attrASPath, unhex("02 02 fde9 5ba0")...), attr(0xc0, attrAS4Path, unhex("02 01 0000fde8")...)), true},
		{"our identifier as the originator's", inside, routed(attr(0x80, attrOriginatorID, 192, 0, 2, 99)), true},
		{"other ASes", outside, path("02 03 0000fde9 0000fdea 0001fde8"), false},
		{"another originator", inside, routed(attr(0x80, attrOriginatorID, 192, 0, 2, 98)), false},
		{"our identifier from another AS, where it means nothing", outside, routed(attr(0x80, attrOriginatorID, 192, 0, 2, 99)), false},
		{"no loop to us, who are not known", Session{Families: []Family{EVPN}, FourOctetAS: true, Internal: true}, routed(attr(0x80, attrOriginatorID, 0, 0, 0, 0)), false},
	}
	for _, tt := range tests {
		f := NewFilter(tt.session)
		if err := property(f, tt.msg); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		v := f.Update(tt.msg)
		list := v.Announced
		if tt.loop {
			list = v.Withdrawn
		}
		if v.Decision > Discard || len(v.Announced)+len(v.Withdrawn) != 1 || len(list) != 1 || !slices.Equal(list[0].Octets, nlri2) {
			t.Errorf("%s: decision %v, %d announced, %d withdrawn; a loop: %t", tt.name, v.Decision, len(v.Announced), len(v.Withdrawn), tt.loop)
		}
	}
}
