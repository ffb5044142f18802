package linux

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// While some entries are written, the next are planned. Whatever the kernel refuses of thousands has its error, nothing else has one, and all else is there, and then gone;
// also what somebody else has deleted, or put elsewhere, in the meantime.
func TestManyPlans(t *testing.T) {
	s, k := ready(t)
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

// What the kernel refuses to delete is not held for gone: whatever comes next deletes it, be it another entry of the MAC or the same deletion again.
func TestRefusedDeletion(t *testing.T) {
	s, k := ready(t)
	remote := bulk(1)[0]
	local := dataplanetest.Local(10100, remote.MAC, "blue1")
	mac := remote.MAC.String()
	apply := func(set []dataplane.Entry, del []dataplane.Key) {
		t.Helper()
		for _, err := range k.Apply(t.Context(), set, del) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// refused is what Apply does of it, but that the kernel does not know what the last message asks for.
	refused := func(fill func(p *plan, h *held, at *place)) {
		t.Helper()
		if _, err := k.List(t.Context()); err != nil { // so that it knows what there is
			t.Fatal(err)
		}
		p := &k.plans[0]
		k.make(p, batch, func(p *plan, h *held) bool {
			fill(p, h, &p.look(h, k.networks, 1, func(int) *dataplane.Key { return &remote.Key })[0])
			return false
		})
		p.messages[len(p.messages)-1].kind = unix.RTM_MAX
		k.send(t.Context(), p)
		if errs := make([]error, 1); len(k.settle(p, errs, nil)) > 0 || errs[0] == nil {
			t.Fatalf("the kernel has not refused it: %v", errs)
		}
		if !strings.Contains(s.run(t, "bridge fdb show dev vx10100"), mac) {
			t.Fatal("the VXLAN device has it no more")
		}
	}
	gone := func() {
		t.Helper()
		if all := s.run(t, "bridge fdb show dev vx10100"); strings.Contains(all, mac) {
			t.Errorf("the VXLAN device still has %s:\n%s", mac, all)
		}
	}

	t.Run("in a move, tried again", func(t *testing.T) {
		apply([]dataplane.Entry{remote}, nil)
		refused(func(p *plan, h *held, at *place) { p.set(h, 0, at, &local) })
		apply([]dataplane.Entry{local}, nil)
		gone()
		s.run(t, "bridge fdb get %s br br10100", mac)
	})
	t.Run("and another entry", func(t *testing.T) {
		apply([]dataplane.Entry{remote}, nil)
		refused(func(p *plan, h *held, at *place) { p.unset(h, 0, at, &remote.Key) })
		apply([]dataplane.Entry{local}, nil)
		gone()
	})
	t.Run("and the same again", func(t *testing.T) {
		apply([]dataplane.Entry{remote}, nil)
		refused(func(p *plan, h *held, at *place) { p.unset(h, 0, at, &remote.Key) })
		apply(nil, []dataplane.Key{remote.Key})
		gone()
	})
}
