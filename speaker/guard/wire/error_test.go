package wire

import (
	"bytes"
	"testing"
)

func TestError(t *testing.T) {
	v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri2[:30]), origin, emptyPath))
	const want = "UPDATE: MP_REACH_NLRI EVPN NLRI cut off after 30 octets (RFC 7606 §5.3) (NOTIFICATION 3/9, at octet 35: " +
		"02250001c633640100010000000000000000000000000000300200000000)"
	if v.Reset == nil {
		t.Fatalf("%v", v.Decision)
	}
	if got := v.Reset.Error(); got != want {
		t.Errorf("%s, must be %s", got, want)
	}
	n := v.Reset.Notification()
	if msg := n.Append(nil); n.String() != "3/9 optional attribute error" || !bytes.Contains(msg, nlri2[:30]) {
		t.Errorf("%v: %x", n, msg)
	}
}

func TestWords(t *testing.T) {
	for d, want := range []string{"accept", "attribute discard", "skip", "treat as withdraw", "session reset"} {
		if got := Decision(d).String(); got != want {
			t.Errorf("decision %d: %s, must be %s", d, got, want)
		}
	}
	for f, want := range map[Family]string{EVPN: "l2vpn-evpn", RouteTargets: "route-targets", IPv4Unicast: "ipv4-unicast", NewFamily(2, 128): "afi 2 safi 128"} {
		if got := f.String(); got != want {
			t.Errorf("%s, must be %s", got, want)
		}
	}
}

// TestFewRefusals has a message with thousands of faults not fill the log.
func TestFewRefusals(t *testing.T) {
	msg := update(nil, nil, reach(EVPN, hop, bytes.Repeat([]byte{9, 0}, 2000)), origin, emptyPath)
	v := NewFilter(everyFamily).Update(msg)
	if v.Skipped != 2000 || len(v.Refusals) != maxRefusals || v.Decision != Skip {
		t.Errorf("%v, %d skipped, %d refusals", v.Decision, v.Skipped, len(v.Refusals))
	}
	routes := update(nil, nil, reach(NewFamily(2, 1), make([]byte, 16), bytes.Repeat([]byte{0}, 2000)), origin, emptyPath)
	if v := NewFilter(everyFamily).Update(routes); len(v.Refusals) != 1 || len(v.Refusals[0].Octets) != OctetsKept {
		t.Errorf("%d refusals", len(v.Refusals))
	}
}
