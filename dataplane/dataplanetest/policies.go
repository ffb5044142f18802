package dataplanetest

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/tns-project/tns/dataplane"
)

// PolicyContract is what every dataplane.Kernel does with policies. Each case begins with a world of its own.
func PolicyContract(t *testing.T, newWorld func(t *testing.T) World) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w World)
	}{
		{"a policy is listed by its digest, in force or not", policyListed},
		{"a policy goes in and out of force, and to another port", policyChanges},
		{"a policy is replaced, and the same one set again changes nothing", policyReplaced},
		{"two networks have policies of one MAC", policyOfTwo},
		{"the next run finds the policies that this one left", policyRestarted},
		{"a policy that cannot be in force keeps its MAC from being forwarded", policyFails},
		{"each rule has its counter", policyCounts},
		{"a thousand policies are set, listed and deleted", policyThousand},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.Kernel().Ensure(t.Context(), w.Networks()); err != nil {
				t.Fatalf("ensure: %v", err)
			}
			c.run(t, w)
		})
	}
}

func policyListed(t *testing.T, w World) {
	k := w.Kernel()
	for _, p := range []dataplane.VMPolicy{{}, Web(), {Sources: []netip.Addr{ip4}}} {
		for _, e := range []dataplane.Entry{Prepared(10100, mac1, "blue1", p), Policed(10100, mac1, "blue1", p)} {
			Apply(t, k, []dataplane.Entry{e}, nil)
			Listed(t, k, e)
			if !w.Holds(t, e) {
				t.Errorf("the kernel has not %v", e)
			}
			Apply(t, k, nil, []dataplane.Key{e.Key})
			Listed(t, k)
			if w.Holds(t, e) {
				t.Errorf("the kernel still has %v", e)
			}
			Apply(t, k, nil, []dataplane.Key{e.Key})
		}
	}
}

func policyChanges(t *testing.T, w World) {
	k := w.Kernel()
	for _, e := range []dataplane.Entry{
		Prepared(10100, mac1, "blue1", Web()), Policed(10100, mac1, "blue1", Web()), Prepared(10100, mac1, "blue1", Web()),
		Policed(10100, mac1, "blue2", Web()), Policed(10100, mac1, "blue1", Web()), Prepared(10100, mac1, "blue2", Web()),
	} {
		Apply(t, k, []dataplane.Entry{e}, nil)
		Listed(t, k, e)
		if !w.Holds(t, e) {
			t.Errorf("the kernel has not %v", e)
		}
	}
}

func policyReplaced(t *testing.T, w World) {
	k := w.Kernel()
	other := Web()
	other.Sources, other.From.Rules = other.Sources[:1], slices.Clone(other.From.Rules)
	other.From.Rules[0].DstPorts = dataplane.OnePort(587)
	for _, p := range []dataplane.VMPolicy{Web(), other, other, {}, Web()} {
		e := Policed(10100, mac1, "blue1", p)
		Apply(t, k, []dataplane.Entry{e, Local(10100, mac1, "blue1")}, nil)
		Listed(t, k, e, Local(10100, mac1, "blue1"))
	}
}

func policyOfTwo(t *testing.T, w World) {
	k := w.Kernel()
	blue, red := Policed(10100, mac1, "blue1", Web()), Prepared(10200, mac1, "red1", dataplane.VMPolicy{Sources: []netip.Addr{ip4}})
	Apply(t, k, []dataplane.Entry{blue, red}, nil)
	Listed(t, k, blue, red)
	Apply(t, k, nil, []dataplane.Key{blue.Key})
	Listed(t, k, red)
}

func policyRestarted(t *testing.T, w World) {
	all := append(every(), Policed(10100, mac1, "blue1", Web()), Prepared(10100, mac2, "blue2", dataplane.VMPolicy{Sources: []netip.Addr{ip6}}))
	Apply(t, w.Kernel(), all, nil)
	next := w.Restart(t)
	if err := next.Ensure(t.Context(), w.Networks()); err != nil {
		t.Fatal(err)
	}
	Listed(t, next, all...)
	Apply(t, next, nil, keys(all))
	Listed(t, next)
}

func policyFails(t *testing.T, w World) {
	k := w.Kernel()
	bad := Policed(10100, mac1, "red1", Web()) // a port of another network
	errs := k.Apply(t.Context(), []dataplane.Entry{Local(10100, mac1, "blue1"), bad, Local(10100, mac2, "blue1")}, nil)
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("errors %v, want one of the policy and of its MAC, none of the other", errs)
	}
	Listed(t, k, Local(10100, mac2, "blue1"))
}

func policyCounts(t *testing.T, w World) {
	k := w.Kernel()
	p, q := Policed(10100, mac1, "blue1", Web()), Prepared(10100, mac2, "blue1", dataplane.VMPolicy{})
	Apply(t, k, []dataplane.Entry{p, q}, nil)
	for _, asked := range [][]dataplane.Key{nil, {p.Key}} {
		got, err := k.Counters(t.Context(), asked...)
		if err != nil {
			t.Fatal(err)
		}
		want := 2
		if asked != nil {
			want = 1
		}
		if c := got[p.Key]; len(got) != want || len(c.From) != 3 || len(c.To) != 4 {
			t.Errorf("counters of %v: %v, want those of %d policies, one with 3 and 4 rules", asked, got, want)
		}
	}
}

func policyThousand(t *testing.T, w World) {
	k := w.Kernel()
	var all []dataplane.Entry
	for i := range 1000 {
		p := Web()
		p.Sources = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
		mac := dataplane.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}
		all = append(all, Policed(10100, mac, []string{"blue1", "blue2"}[i%2], p), Local(10100, mac, []string{"blue1", "blue2"}[i%2]))
	}
	Apply(t, k, all, nil)
	Listed(t, k, all...)
	Apply(t, k, nil, keys(all))
	Listed(t, k)
}
