package linux

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// told is changes that a stream is told one after the other, and the errors that it tells.
type told struct {
	changes []change
	errs    [][]error
}

type change struct {
	before func() // it is told
	set    []dataplane.Entry
	del    []dataplane.Key
}

// stream has a Kernel apply changes; each is told when the one before it is planned, and at most it is written. Whatever it said is kept.
func (f *told) stream(t *testing.T, k *Kernel) {
	next := 0
	k.Stream(t.Context(), func() ([]dataplane.Entry, []dataplane.Key) {
		if next == len(f.changes) {
			return nil, nil
		}
		c := f.changes[next]
		next++
		if c.before != nil {
			c.before()
		}
		return c.set, c.del
	}, func(errs []error) { f.errs = append(f.errs, slices.Clone(errs)) })
	if len(f.errs) != len(f.changes) {
		t.Fatalf("%d of %d changes are done", len(f.errs), len(f.changes))
	}
	for i, c := range f.changes {
		if len(f.errs[i]) != len(c.set)+len(c.del) {
			t.Fatalf("change %d: %d errors for %d entries and %d keys", i, len(f.errs[i]), len(c.set), len(c.del))
		}
	}
}

func known(t *testing.T) (space, *Kernel) {
	t.Helper()
	s, k := ready(t)
	if _, err := k.List(t.Context()); err != nil { // from now on it knows what there is
		t.Fatal(err)
	}
	return s, k
}

func keysOf(all []dataplane.Entry) (keys []dataplane.Key) {
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	return keys
}

func behind(all []dataplane.Entry, vtep string) []dataplane.Entry {
	all = slices.Clone(all)
	for i := range all {
		all[i].VTEP = netip.MustParseAddr(vtep)
	}
	return all
}

// listed fails the test unless the kernel has these entries of ours and no others.
func listed(t *testing.T, k *Kernel, want []dataplane.Entry) {
	t.Helper()
	have, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := make(map[dataplane.Key]dataplane.Entry)
	for _, e := range want {
		wanted[e.Key] = e
	}
	if set, del := dataplane.Diff(wanted, have); len(set)+len(del) > 0 {
		t.Errorf("%d are missing or wrong, %d too many: %v, %v", len(set), len(del), set[:min(3, len(set))], del[:min(3, len(del))])
	}
}

// Changes of the same MACs come one after the other before the first are written; between them what is not only a matter of messages. Each takes effect in its turn, and
// the errors of each are its own.
func TestStreamKeepsOrder(t *testing.T) {
	_, k := known(t)
	all := bulk(8 * batch)
	refused := behind(all[:3], "2001:db8::2") // the device's own address is IPv4
	here := dataplanetest.Local(10100, all[7].MAC, "blue1")
	f := told{changes: []change{
		{set: all[:2*batch]},
		{set: all[2*batch : 4*batch]},
		{set: refused, del: keysOf(all[10:20])},
		{del: keysOf(all[100:200])},
		{set: behind(all[100:150], "192.0.2.3")},
		{set: []dataplane.Entry{here}},
		{set: behind(all[150:160], "192.0.2.4"), del: keysOf(all[:1])},
		{del: []dataplane.Key{here.Key}},
		{set: all[4*batch:]},
		{set: []dataplane.Entry{all[7], dataplanetest.Flooded(10100, all[0].VTEP), dataplanetest.At(10100, netip.MustParseAddr("10.0.0.9"), all[7].MAC)}},
	}}
	f.stream(t, k)
	for i, errs := range f.errs {
		for j, err := range errs {
			if want := i == 2 && j < len(refused); (err != nil) != want || want && !errors.Is(err, unix.EAFNOSUPPORT) {
				t.Errorf("change %d, element %d: %v", i, j, err)
			}
		}
	}
	want := slices.Concat(all[20:100], behind(all[100:150], "192.0.2.3"), behind(all[150:160], "192.0.2.4"), all[200:], all[1:10], f.changes[9].set[1:])
	listed(t, k, want)
}

// What somebody else has taken from one of both tables, after its deletion was planned, is deleted from the other, too; but not if it was asked for again meanwhile.
func TestStreamFindsWhatIsLost(t *testing.T) {
	s, k := known(t)
	all := bulk(4)
	if err := errorIn(k.Apply(t.Context(), all, nil)); err != nil {
		t.Fatal(err)
	}
	f := told{changes: []change{
		{del: keysOf(all)},
		{set: all[1:2], before: func() {
			s.run(t, "bridge fdb del %v dev vx10100 master", all[0].MAC)
			s.run(t, "bridge fdb del %v dev vx10100 master", all[1].MAC)
		}},
	}}
	f.stream(t, k)
	if err := errors.Join(slices.Concat(f.errs...)...); err != nil {
		t.Fatal(err)
	}
	listed(t, k, all[1:2])
	if fdb := s.run(t, "bridge fdb show dev vx10100"); hasLine(fdb, all[0].MAC.String()) {
		t.Errorf("still there: %s", fdb)
	}
}

// Where it is not known what there is, the kernel is asked before anything else is planned.
func TestStreamAsksFirst(t *testing.T) {
	s, k := known(t)
	all := bulk(3 * batch)
	if err := errorIn(k.Apply(t.Context(), all, nil)); err != nil {
		t.Fatal(err)
	}
	f := told{changes: []change{
		{del: keysOf(all[:batch]), before: func() { s.run(t, "bridge fdb del %v dev vx10100 master", all[0].MAC) }},
		{set: behind(all[:10], "192.0.2.3")},
		{del: keysOf(all[5:20])},
	}}
	f.stream(t, k)
	if err := errors.Join(slices.Concat(f.errs...)...); err != nil {
		t.Fatal(err)
	}
	listed(t, k, slices.Concat(behind(all[:5], "192.0.2.3"), all[batch:]))
}

// What the kernel refuses says nothing of what it has: that may be what was there before, or what was asked for since. Whatever it is goes when the MAC comes here.
func TestNothingIsLeftOfWhatWasRefused(t *testing.T) {
	for name, since := range map[string][]change{
		"before": {},
		"since":  {{set: behind(bulk(2), "192.0.2.3")}},
	} {
		t.Run(name, func(t *testing.T) {
			s, k := known(t)
			all := bulk(2)
			f := told{changes: slices.Concat([]change{{set: all}, {set: behind(all, "2001:db8::2")}}, since)}
			f.stream(t, k)
			for i, errs := range f.errs {
				for _, err := range errs {
					if want := i == 1; (err != nil) != want || want && !errors.Is(err, unix.EAFNOSUPPORT) {
						t.Fatalf("change %d: %v", i, err)
					}
				}
			}
			here := dataplanetest.Local(10100, all[0].MAC, "blue1")
			if err := errorIn(k.Apply(t.Context(), []dataplane.Entry{here}, []dataplane.Key{all[1].Key})); err != nil {
				t.Fatal(err)
			}
			if fdb := s.run(t, "bridge fdb show dev vx10100"); hasLine(fdb, all[0].MAC) || hasLine(fdb, all[1].MAC) {
				t.Errorf("still there: %s", fdb)
			}
			listed(t, k, []dataplane.Entry{here})
		})
	}
}
