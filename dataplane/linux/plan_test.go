package linux

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// While some entries are written, the next are planned. Whatever the kernel refuses of thousands has its error, nothing else has one, and all else is there, and then gone;
// also what somebody else has deleted, or put elsewhere, in the meantime.
func TestManyPlans(t *testing.T) {
	s := newSpace(t)
	s.ports(t)
	k := s.kernel(t)
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	if _, err := k.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := bulk(3*planned*len(k.plans) + 1)
	refused := func(i int) bool { return i%97 == 5 || i == len(all)-1 }
	for i := range all {
		if refused(i) {
			all[i].VTEP = netip.MustParseAddr("2001:db8::2") // the device's own is an IPv4 address
		}
	}
	keys := make([]dataplane.Key, len(all))
	for i, err := range k.Apply(t.Context(), all, nil) {
		if (err != nil) != refused(i) || refused(i) && !errors.Is(err, unix.EAFNOSUPPORT) {
			t.Fatalf("entry %d: %v, refused %v", i, err, refused(i))
		}
		keys[i] = all[i].Key
	}
	want := 0
	for i := range all {
		if !refused(i) {
			want++
		}
	}
	if have, err := k.List(t.Context()); err != nil || len(have) < want {
		t.Fatalf("%d are listed (%v), want %d at least", len(have), err, want)
	}
	gone, elsewhere := all[len(all)/4].MAC, all[len(all)/2].MAC
	s.run(t, "bridge fdb del %v dev vx10100 master", gone)
	s.run(t, "bridge fdb del %v dev vx10100 master", elsewhere)
	s.run(t, "bridge fdb add %v dev blue1 master static", elsewhere)
	for i, err := range k.Apply(t.Context(), nil, keys) {
		if err != nil {
			t.Errorf("delete %d: %v", i, err)
		}
	}
	have, err := k.List(t.Context())
	if err != nil || len(have) != 0 {
		t.Errorf("%d are left (%v), want none: %v", len(have), err, have[:min(len(have), 3)])
	}
	s.run(t, "bridge fdb get %v br br10100", elsewhere)
}
