package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/tns-project/tns/evpn"
)

// throughGoBGP is a community as GoBGP's table gives it back, and as its watchers are told; nil where it is refused.
func throughGoBGP(c evpn.ExtendedCommunity) (table, watcher []byte) {
	a := &bgp.PathAttributeExtendedCommunities{}
	if err := a.DecodeFromBytes(extended(c[:])); err != nil {
		return nil, nil
	}
	table, _ = a.Value[0].Serialize()
	told, err := apiutil.MarshalPathAttributes([]bgp.PathAttributeInterface{a})
	if err != nil {
		return table, nil
	}
	back, err := apiutil.UnmarshalAttribute(told[0])
	if err != nil {
		return table, nil
	}
	watcher, _ = back.(*bgp.PathAttributeExtendedCommunities).Value[0].Serialize()
	return table, watcher
}

func TestSurvivesGoBGP(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var needless, hidden int
	for kind := range 1 << 16 {
		for range 2 {
			c := evpn.ExtendedCommunity{byte(kind >> 8), byte(kind)}
			for i := 2; i < 8; i++ {
				if random.IntN(2) == 0 {
					c[i] = byte(random.Uint32())
				}
			}
			table, watcher := throughGoBGP(c)
			same := bytes.Equal(table, c[:]) && bytes.Equal(watcher, c[:])
			switch {
			case survives(c) && !same:
				t.Fatalf("%x survives, but GoBGP makes %x and %x of it", c, table, watcher)
			case !survives(c):
				hidden++
				if same {
					needless++
				}
			}
		}
	}
	if needless*4 > hidden {
		t.Errorf("%d of %d communities are hidden needlessly", needless, hidden)
	}
	t.Logf("hidden: %d of %d, needlessly: %d", hidden, 2<<16, needless)
}

func TestHiddenCommunities(t *testing.T) {
	all := [][]byte{target, ndFlags, vxlan, election, unhex("80 0b ffffffffffff"), unhex("06 ff 010203040506"), unhex("0c 05 000000000001")}
	v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, localPref, extended(all...)))
	if v.Decision != Accept || v.Hidden != 5 || len(v.Announced) != 1 || len(v.Forward) != 1 {
		t.Fatalf("%v, %d hidden, %d announced: %+v", v.Decision, v.Hidden, len(v.Announced), v.Refusals)
	}
	want := cat(origin, emptyPath, localPref, extended(target, vxlan), attr(0x80, AttributeHidden, cat(all[1], all[3], all[4], all[5], all[6])...))
	if !bytes.Equal(v.Attributes, want) {
		t.Errorf("attributes\n%x, must be\n%x", v.Attributes, want)
	}
}

func TestOnlyHiddenCommunities(t *testing.T) {
	v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri4), origin, emptyPath, extended(election)))
	if want := cat(origin, emptyPath, attr(0x80, AttributeHidden, election...)); !bytes.Equal(v.Attributes, want) {
		t.Errorf("attributes\n%x, must be\n%x", v.Attributes, want)
	}
}

func TestMobilityForGoBGP(t *testing.T) {
	// Flag 0x02 and the reserved octet are ignored; GoBGP would take the flag for sticky.
	v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, extended(unhex("0600 02 ff 00000007"))))
	if want := cat(origin, emptyPath, extended(mobile)); !bytes.Equal(v.Attributes, want) || v.Hidden != 0 {
		t.Errorf("attributes\n%x, must be\n%x", v.Attributes, want)
	}
}

func TestForgedHidden(t *testing.T) {
	for _, flags := range []byte{0x80, 0xc0, 0xe0} {
		v := NewFilter(everyFamily).Update(update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, attr(flags, AttributeHidden, unhex("8801112200000001")...)))
		if v.Decision != Discard || !bytes.Equal(v.Attributes, cat(origin, emptyPath)) {
			t.Errorf("flags %#x: %v, attributes %x", flags, v.Decision, v.Attributes)
		}
	}
}

func TestRestoreCommunities(t *testing.T) {
	told := []evpn.ExtendedCommunity{evpn.ExtendedCommunity(target)}
	got, err := RestoreCommunities(told, cat(election, ndFlags))
	if err != nil || len(got) != 3 || got[1] != evpn.ExtendedCommunity(election) || got[2] != evpn.ExtendedCommunity(ndFlags) {
		t.Errorf("restored %x, %v", got, err)
	}
	if got, err := RestoreCommunities(told, nil); err != nil || len(got) != 1 {
		t.Errorf("nothing hidden: %x, %v", got, err)
	}
	if got, err := RestoreCommunities(told, election[:7]); err == nil || len(got) != 1 {
		t.Errorf("cut off: %x, %v", got, err)
	}
}
