package linux

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// fiveRules is the policy of the i-th VM of a benchmark: five rules of which one is to the VM, marks, and an address of each family.
func fiveRules(i int) dataplane.VMPolicy {
	prefix := netip.MustParsePrefix
	return dataplane.VMPolicy{
		Sources: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), netip.MustParseAddr(fmt.Sprintf("fd00::%x", i))},
		From: dataplane.Direction{Rules: []dataplane.Rule{
			{Action: dataplane.Deny, Match: dataplane.Match{Protocol: 6, DstPorts: dataplane.OnePort(25)}},
			{Action: dataplane.Allow, Match: dataplane.Match{Dst: prefix("10.0.0.0/8"), Protocol: 6}},
			{Action: dataplane.Count, Match: dataplane.Match{Protocol: 17, DstPorts: dataplane.Ports{First: 1, Last: 1023}}},
			{Action: dataplane.Deny, Match: dataplane.Match{Dst: prefix("fd00:1::/32")}},
		}},
		To: dataplane.Direction{Rules: []dataplane.Rule{
			{Action: dataplane.Deny, Match: dataplane.Match{Protocol: 6, DstPorts: dataplane.OnePort(22)}},
		}},
		DSCP: dataplane.Some(10), PCP: dataplane.Some(3),
	}
}

// policed is the policies of n VMs behind two ports.
func policed(n int) (all []dataplane.Entry) {
	for i := range n {
		mac := dataplane.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}
		all = append(all, dataplanetest.Policed(10100, mac, []string{"blue1", "blue2"}[i%2], fiveRules(i)))
	}
	return all
}

// BenchmarkPolicies puts policies of five rules each in force and takes them away: a thousand VMs' in one go, and, beside a thousand, one VM's.
func BenchmarkPolicies(b *testing.B) {
	all := policed(1000)
	keys := make([]dataplane.Key, 0, len(all))
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	apply := func(b *testing.B, k *Kernel, set []dataplane.Entry, del []dataplane.Key) {
		if err := errorIn(k.Apply(b.Context(), set, del)); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("1000-in-force", func(b *testing.B) {
		_, k := benchWorld(b)
		for b.Loop() {
			apply(b, k, all, nil)
			b.StopTimer()
			apply(b, k, nil, keys)
			b.StartTimer()
		}
	})
	b.Run("1000-from-prepared", func(b *testing.B) {
		_, k := benchWorld(b)
		prepared := make([]dataplane.Entry, len(all))
		for i, e := range all {
			e.InForce = false
			prepared[i] = e
		}
		for b.Loop() {
			b.StopTimer()
			apply(b, k, prepared, nil)
			b.StartTimer()
			apply(b, k, all, nil)
		}
	})
	b.Run("one-changed", func(b *testing.B) {
		_, k := benchWorld(b)
		apply(b, k, all, nil)
		for i := 0; b.Loop(); i++ {
			e := dataplanetest.Policed(10100, all[0].MAC, "blue1", fiveRules(2000+i%2))
			apply(b, k, []dataplane.Entry{e}, nil)
		}
	})
	b.Run("one-in-and-out-of-force", func(b *testing.B) {
		_, k := benchWorld(b)
		apply(b, k, all, nil)
		for i := 0; b.Loop(); i++ {
			e := all[0]
			e.InForce = i%2 == 1
			apply(b, k, []dataplane.Entry{e}, nil)
		}
	})
	b.Run("list-1000", func(b *testing.B) {
		_, k := benchWorld(b)
		apply(b, k, all, nil)
		for b.Loop() {
			if _, err := k.List(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list-1000-after-a-foreign-change", func(b *testing.B) {
		s, k := benchWorld(b)
		apply(b, k, all, nil)
		for b.Loop() {
			b.StopTimer()
			s.run(b, "nft add table netdev other")
			b.StartTimer()
			if _, err := k.List(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
