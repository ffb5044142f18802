package wire

import (
	"bytes"
	"testing"
)

func TestWidePath(t *testing.T) {
	tests := []struct {
		name            string
		path, as4, wide string
	}{
		{"empty", "", "", ""},
		{"no AS4_PATH", "02 02 fde8 fde9", "", "02 02 0000fde8 0000fde9"},
		{"AS_TRANS known", "02 03 fde8 5ba0 fde9", "02 02 00010000 0000fde9", "02 01 0000fde8 02 02 00010000 0000fde9"},
		{"all known", "02 01 5ba0", "02 01 00010000", "02 01 00010000"},
		{"AS4_PATH longer: ignored", "02 01 fde8", "02 02 00010000 0000fde9", "02 01 0000fde8"},
		{"a set counts 1", "02 01 fde8 01 02 5ba0 5ba0", "01 02 00010000 00020000", "02 01 0000fde8 01 02 00010000 00020000"},
		{"a confederation counts 0", "03 01 fde7 02 02 fde8 5ba0", "02 01 00010000", "03 01 0000fde7 02 01 0000fde8 02 01 00010000"},
		{"a confederation in AS4_PATH is left out", "02 01 5ba0", "03 01 00030000 02 01 00010000", "02 01 00010000"},
	}
	for _, tt := range tests {
		got := appendWidePath(nil, unhex(tt.path), unhex(tt.as4))
		if !bytes.Equal(got, unhex(tt.wide)) {
			t.Errorf("%s: %x, must be %s", tt.name, got, tt.wide)
		}
	}
}

// TestTwoOctets has a route come and go over a session without four-octet AS numbers.
func TestTwoOctets(t *testing.T) {
	old := Session{Families: []Family{EVPN}}
	path := attr(0x40, attrASPath, unhex("02 02 fde8 5ba0")...)
	path4 := attr(0xc0, attrAS4Path, unhex("02 01 00010000")...)
	aggregator := attr(0xc0, attrAggregator, unhex("5ba0 c0000201")...)
	aggregator4 := attr(0xc0, attrAS4Aggregator, unhex("00010000 c0000201")...)
	msg := update(nil, nil, reach(EVPN, hop, nlri2), origin, path, aggregator, extended(target), path4, aggregator4)

	v := NewFilter(old).Update(msg)
	want := cat(origin, attr(0x40, attrASPath, unhex("02 01 0000fde8 02 01 00010000")...), attr(0xc0, attrAggregator, unhex("00010000 c0000201")...), extended(target))
	if v.Decision != Accept || !bytes.Equal(v.Attributes, want) {
		t.Fatalf("%v, attributes\n%x, must be\n%x", v.Decision, v.Attributes, want)
	}
	out, unsent := Pack(v.Changes(), old)
	back := update(nil, nil, reach(EVPN, hop, nlri2), origin, attr(0x40, attrASPath, unhex("02 01 fde8 02 01 5ba0")...), aggregator, extended(target),
		attr(0xc0, attrAS4Path, unhex("02 01 0000fde8 02 01 00010000")...), aggregator4)
	if len(unsent) > 0 || len(out) != 1 || !bytes.Equal(out[0], back) {
		t.Errorf("sent\n%x, must be\n%x", out, back)
	}

	// AGGREGATOR with a number of its own beside AS4_AGGREGATOR: whoever wrote it knew nothing of AS4_PATH (RFC 6793 §4.2.3).
	v = NewFilter(old).Update(update(nil, nil, reach(EVPN, hop, nlri2), origin, path, attr(0xc0, attrAggregator, unhex("fde8 c0000201")...), path4, aggregator4))
	want = cat(origin, attr(0x40, attrASPath, unhex("02 02 0000fde8 00005ba0")...), attr(0xc0, attrAggregator, unhex("0000fde8 c0000201")...))
	if !bytes.Equal(v.Attributes, want) {
		t.Errorf("attributes\n%x, must be\n%x", v.Attributes, want)
	}
	// Alone, it has a number that needs no AS4_AGGREGATOR, and AS4_PATH counts.
	v = NewFilter(old).Update(update(nil, nil, reach(EVPN, hop, nlri2), origin, path, attr(0xc0, attrAggregator, unhex("fde8 c0000201")...), path4))
	want = cat(origin, attr(0x40, attrASPath, unhex("02 01 0000fde8 02 01 00010000")...), attr(0xc0, attrAggregator, unhex("0000fde8 c0000201")...))
	if !bytes.Equal(v.Attributes, want) {
		t.Errorf("attributes\n%x, must be\n%x", v.Attributes, want)
	}
}
