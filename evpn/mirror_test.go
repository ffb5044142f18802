package evpn_test

import (
	"testing"

	"github.com/tns-project/tns/evpn"
)

func TestMirrorInWords(t *testing.T) {
	for _, test := range []struct {
		data1 uint32
		want  string // empty: no mirror
	}{
		{100010, "pre-associate base null seq 7"},
		{100021, "associate base null M seq 7"},
		{102060, "terminate base associated seq 7"},
		{105051, "emigrate base terminated M seq 7"},
		{200000, "success state null seq 7"},
		{202000, "success state associated seq 7"},
		{200102, "fail state null reason 2 (non-sufficient resources) seq 7"},
		{204219, "fail-kept state emigrating reason 19 (unsupported address or tag type) seq 7"},
		{201300, "pending state pre-associated seq 7"},
		{0, ""}, {99999, ""}, {100000, ""}, {100001, ""}, {100012, ""}, {100070, ""}, {106010, ""}, {110010, ""}, {199999, ""},
		{200020, ""}, {200400, ""}, {206000, ""}, {300010, ""}, {1100010, ""}, {1<<32 - 1, ""},
	} {
		m, ok := evpn.DecodeMirror(evpn.LargeCommunity{Global: 65000, Data1: test.data1, Data2: 7})
		switch {
		case ok != (test.want != ""):
			t.Errorf("%d: taken for a mirror is %v", test.data1, ok)
		case ok && (m.String() != test.want || m.AS != 65000):
			t.Errorf("%d: %q from AS %d, want %q", test.data1, m, m.AS, test.want)
		}
	}
}
