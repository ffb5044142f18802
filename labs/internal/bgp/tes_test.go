package bgp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

// What a TES says first: which responses it wants, and that this is all (RFC 4684 §4, RFC 4724 §2).
func TestWants(t *testing.T) {
	s := &Session{address: netip.MustParseAddr("198.51.100.11"), tes: true}
	marker := strings.Repeat("ff", 16)
	want := marker + "003e" + "02" + "0000" + "0027" +
		"40010100" + "400200" + "40050400000064" + // ORIGIN, AS_PATH, LOCAL_PREF
		"800e" + "16" + "000184" + "04" + "c633640b" + "00" + "60" + "0000fde8" + "000220cb" + "c633640b" + // the membership 65000:8395:198.51.100.11
		marker + "001d" + "02" + "0000" + "0006" + "800f03" + "000184" +
		marker + "001d" + "02" + "0000" + "0006" + "800f03" + "001946"
	if got := hex.EncodeToString(s.wants(65000)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if open := s.open(65000); !bytes.Contains(open, []byte{1, 4, 0, 25, 0, 70, 1, 4, 0, 1, 0, 132, 64, 2, 0, 0}) || int(open[9]) != len(open)-10 || int(open[11]) != len(open)-12 {
		t.Errorf("OPEN %x", open)
	}
}
