package wire

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

func TestKeyJoins(t *testing.T) {
	for _, nlri := range [][]byte{nlri1, nlri2, nlri2m, nlri26, nlri3, nlri36, nlri4, nlri5, nlri56} {
		b, n := splitKey([]byte("before"), EVPN, string(nlri))
		b, ok := bytes.CutPrefix(b, []byte("before"))
		if got := joinKey(EVPN, string(b[:n]), string(b[n:])); !ok || got != string(nlri) {
			t.Errorf("%x comes back as %x", nlri, got)
		}
	}
}

// TestKey has pairs of NLRI that are one route, and pairs that are two.
func TestKey(t *testing.T) {
	tests := []struct {
		name   string
		family Family
		a, b   []byte
		same   bool
	}{
		{"type 1: label", EVPN, nlri1, set(nlri1, 26, 1), true},
		{"type 1: ESI", EVPN, nlri1, set(nlri1, 11, 1), false},
		{"type 2: ESI", EVPN, nlri2, set(nlri2, 11, 1), true},
		{"type 2: label", EVPN, nlri2, set(nlri2, 38, 1), true},
		{"type 2: second label", EVPN, nlri2, append(resized(nlri2, 3)[:39:39], 0, 0, 9), true},
		{"type 2: RD", EVPN, nlri2, set(nlri2, 9, 9), false},
		{"type 2: tag", EVPN, nlri2, set(nlri2, 23, 9), false},
		{"type 2: MAC", EVPN, nlri2, set(nlri2, 30, 9), false},
		{"type 2: IP", EVPN, nlri2, set(nlri2, 35, 9), false},
		{"type 2: without IP", EVPN, nlri2, nlri2m, false},
		{"type 3: IP", EVPN, nlri3, set(nlri3, 18, 9), false},
		{"type 5: gateway", EVPN, nlri5, set(nlri5, 30, 9), true},
		{"type 5: label", EVPN, nlri5, set(nlri5, 35, 9), true},
		{"type 5: prefix", EVPN, nlri5, set(nlri5, 27, 9), false},
		{"type 5: bits", EVPN, nlri5, set(nlri5, 24, 16), false},
		{"IPv4: trailing bits", IPv4Unicast, unhex("0c 0a10"), unhex("0c 0a1f"), true},
		{"IPv4: bits", IPv4Unicast, unhex("0c 0a10"), unhex("0d 0a10"), false},
		{"membership", RouteTargets, rtc, set(rtc, 12, 9), false},
	}
	for _, tt := range tests {
		a, b := Change{Family: tt.family, NLRI: string(tt.a)}, Change{Family: tt.family, NLRI: string(tt.b)}
		if same := a.Key() == b.Key(); same != tt.same {
			t.Errorf("%s: the same route %v, must be %v", tt.name, same, tt.same)
		}
	}
}

// TestKeysAreThoseOfGoBGP has GoBGP, whose key is the text of an NLRI, tell the same routes apart as we do.
func TestKeysAreThoseOfGoBGP(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	ours, theirs := make(map[string]string), make(map[string]string)
	for range 50_000 {
		nlri := bytes.Clone([][]byte{nlri1, nlri2, nlri2m, nlri26, nlri3, nlri36, nlri4, nlri5, nlri56}[random.IntN(9)])
		for range 1 + random.IntN(3) {
			nlri[2+random.IntN(len(nlri)-2)] = byte(random.IntN(8))
		}
		if _, bad := nextNLRI(EVPN, nlri); bad != nil {
			continue
		}
		n := &bgp.EVPNNLRI{}
		if err := n.DecodeFromBytes(nlri); err != nil {
			t.Fatalf("%x: %v", nlri, err)
		}
		b, size := splitKey(nil, EVPN, string(nlri))
		key, text := string(b[:size]), n.String()
		if was, ok := ours[key]; ok && was != text {
			t.Fatalf("%x is one route here, %s and %s there", key, was, text)
		}
		if was, ok := theirs[text]; ok && was != key {
			t.Fatalf("%s is one route there, %x and %x here", text, was, key)
		}
		ours[key], theirs[text] = text, key
	}
	t.Logf("%d routes", len(ours))
}

func TestTable(t *testing.T) {
	table := NewTable()
	apply := func(msgs ...[]byte) int { return len(table.Apply(changesOf(t, msgs...))) }
	if n := apply(announce(1, nlri2), announce(1, nlri3)); n != 2 {
		t.Errorf("two new routes make %d differences", n)
	}
	if n := apply(announce(1, nlri2)); n != 0 {
		t.Errorf("an announcement again makes %d differences", n)
	}
	if n := apply(announce(1, set(nlri2, 38, 9)), announce(2, nlri3)); n != 2 || table.Len(EVPN) != 2 {
		t.Errorf("another label and other attributes make %d differences, %d routes", n, table.Len(EVPN))
	}
	if n := apply(update(nil, nil, unreach(EVPN, nlri2, nlri4))); n != 1 || table.Len(EVPN) != 1 {
		t.Errorf("one of two withdrawals makes %d differences, %d routes", n, table.Len(EVPN))
	}
	all := slices.Collect(table.All())
	if len(all) != 1 || all[0] != changesOf(t, announce(2, nlri3))[0] {
		t.Errorf("%v", all)
	}
}

// TestRenew is an engine that restarts: what it sends again makes no difference, and what it does not is withdrawn.
func TestRenew(t *testing.T) {
	table := NewTable()
	table.Apply(changesOf(t, announce(1, nlri2), announce(1, nlri3), announce(1, nlri26), update(nil, nil, reach(RouteTargets, hop, rtc), origin, emptyPath)))
	table.Age()
	different := table.Apply(changesOf(t, announce(1, nlri2), announce(2, nlri3), announce(1, nlri5)))
	if want := changesOf(t, announce(2, nlri3), announce(1, nlri5)); !slices.Equal(different, want) {
		t.Errorf("%v, must be %v", different, want)
	}
	if swept := table.Sweep(EVPN); !slices.Equal(swept, changesOf(t, update(nil, nil, unreach(EVPN, nlri26)))) {
		t.Errorf("%v", swept)
	}
	if len(table.Sweep(EVPN)) != 0 || table.Len(EVPN) != 3 || table.Len(RouteTargets) != 1 {
		t.Errorf("%d EVPN routes, %d memberships", table.Len(EVPN), table.Len(RouteTargets))
	}
	if swept := table.Sweep(RouteTargets); len(swept) != 1 || swept[0].NLRI != string(rtc) {
		t.Errorf("%v", swept)
	}
}

func TestDiff(t *testing.T) {
	old, new := NewTable(), NewTable()
	old.Apply(changesOf(t, announce(1, nlri2), announce(1, nlri3), announce(1, nlri4)))
	new.Apply(changesOf(t, announce(1, nlri2), announce(2, nlri3), announce(1, nlri5)))
	byNLRI := func(a, b Change) int { return strings.Compare(a.NLRI, b.NLRI) }
	want := changesOf(t, announce(2, nlri3), update(nil, nil, unreach(EVPN, nlri4)), announce(1, nlri5))
	if got := Diff(old, new); !slices.Equal(slices.SortedFunc(slices.Values(got), byNLRI), want) {
		t.Errorf("%v, must be %v", got, want)
	}
	if got := Diff(nil, new); len(got) != 3 || slices.ContainsFunc(got, func(c Change) bool { return c.Withdrawal() }) {
		t.Errorf("from nothing: %v", got)
	}
	if got := Diff(old, nil); len(got) != 3 || slices.ContainsFunc(got, func(c Change) bool { return !c.Withdrawal() }) {
		t.Errorf("to nothing: %v", got)
	}
}

func TestAttributes(t *testing.T) {
	c := changesOf(t, announce(1, nlri2))[0]
	if got := c.Attributes.NextHop(); got != string(hop) {
		t.Errorf("next hop %x", got)
	}
	if got := c.Attributes.Octets(); got != string(cat(origin, emptyPath, extended(set(target, 7, 1)))) {
		t.Errorf("attributes %x", got)
	}
	long := update(nil, nil, attr(0x90, attrMPReach, reach(EVPN, hop, nlri3)[3:]...), attr(0x50, attrOrigin, 0), emptyPath, attr(0xd0, attrExtended, set(target, 7, 1)...))
	if again := changesOf(t, long)[0]; again.Attributes != c.Attributes {
		t.Error("a length of two octets makes other attributes")
	}
}
