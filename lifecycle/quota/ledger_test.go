package quota

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var (
	blue   = Account{Resource: VMs, VN: "blue"}
	macs   = Account{Resource: MACs, VN: "blue"}
	tes    = Account{Resource: VMs, TES: 0xc633640b}
	rules  = Account{Resource: ACLRules}
	uplink = Account{Resource: Bandwidth, Port: "eth1"}
	vids   = Account{Resource: VIDs, Port: "eth1"}
)

func limits(m map[Account]uint64) func(Account) uint64 {
	return func(a Account) uint64 { return m[a] }
}

func vm(n byte) Item  { return Item{VM: [16]byte{15: n}} }
func mac(n byte) Item { return Item{VNI: 10100, MAC: [6]byte{5: n}} }

func one(a Account, i Item) Claim { return Claim{a, i, 1} }

func TestLedger(t *testing.T) {
	type step struct {
		do     string // reserve, check, keep, release, lower (the limit of blue's MACs to 1)
		holder string
		claims []Claim
		refuse string // the excesses, in words; none: it may
	}
	for _, v := range []struct {
		name  string
		steps []step
		used  map[Account]uint64
	}{
		{"a limit names itself, its value and what is asked", []step{
			{do: "reserve", holder: "a", claims: []Claim{one(blue, vm(1)), one(macs, mac(1)), one(macs, mac(2))}},
			{do: "reserve", holder: "b", claims: []Claim{one(blue, vm(2)), one(macs, mac(3))}, refuse: "MACs in VN blue: the limit is 2, 2 are reserved, 3 would be\n"},
		}, map[Account]uint64{blue: 1, macs: 2}},
		{"each limit that stands against it is named", []step{
			{do: "check", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(2)), one(macs, mac(3)), {rules, mac(1), 11}},
				refuse: "MACs in VN blue: the limit is 2, 0 are reserved, 3 would be\nACL rules of this edge: the limit is 10, 0 are reserved, 11 would be\n"},
		}, nil},
		{"what two holders share counts once, until both let go", []step{
			{do: "reserve", holder: "a", claims: []Claim{one(blue, vm(1)), one(macs, mac(1))}},
			{do: "reserve", holder: "b", claims: []Claim{one(blue, vm(1)), one(macs, mac(1)), one(tes, vm(1))}},
			{do: "release", holder: "a"},
		}, map[Account]uint64{blue: 1, macs: 1, tes: 1}},
		{"of what they share the larger part counts", []step{
			{do: "reserve", holder: "a", claims: []Claim{{rules, mac(1), 7}}},
			{do: "reserve", holder: "b", claims: []Claim{{rules, mac(1), 4}}},
			{do: "check", holder: "c", claims: []Claim{{rules, mac(2), 4}}, refuse: "ACL rules of this edge: the limit is 10, 7 are reserved, 11 would be\n"},
			{do: "release", holder: "a"},
			{do: "check", holder: "c", claims: []Claim{{rules, mac(2), 6}}},
		}, map[Account]uint64{rules: 4}},
		{"a set that replaces another counts the difference", []step{
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(2))}},
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(3))}},
			{do: "keep", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(3))}},
		}, map[Account]uint64{macs: 2}},
		{"what is replaced is nobody else's before it is let go", []step{
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(2))}},
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(3))}},
			{do: "reserve", holder: "b", claims: []Claim{one(macs, mac(4))}, refuse: "MACs in VN blue: the limit is 2, 3 are reserved, 4 would be\n"},
			{do: "keep", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(2))}},
		}, map[Account]uint64{macs: 2}},
		{"a limit that was lowered takes nothing away, and lets nothing grow", []step{
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(2))}},
			{do: "lower"},
			{do: "reserve", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(3))}},
			{do: "keep", holder: "a", claims: []Claim{one(macs, mac(1)), one(macs, mac(3))}},
			{do: "reserve", holder: "b", claims: []Claim{one(macs, mac(3))}},
			{do: "reserve", holder: "c", claims: []Claim{one(macs, mac(4))}, refuse: "MACs in VN blue: the limit is 1, 2 are reserved, 3 would be\n"},
		}, map[Account]uint64{macs: 2}},
		{"after a refusal and a release there is nothing", []step{
			{do: "reserve", holder: "a", claims: []Claim{{uplink, mac(1), 600}}},
			{do: "reserve", holder: "b", claims: []Claim{one(blue, vm(2)), {uplink, mac(2), 500}},
				refuse: "bit/s of guaranteed bandwidth on port eth1: the limit is 1000, 600 are reserved, 1100 would be\n"},
			{do: "release", holder: "a"},
			{do: "release", holder: "b"},
		}, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			limit := map[Account]uint64{macs: 2, rules: 10, uplink: 1000}
			l := New[string](limits(limit))
			for i, s := range v.steps {
				var excesses []Excess
				switch s.do {
				case "check":
					excesses = l.Check(s.holder, s.claims)
				case "reserve":
					excesses = l.Reserve(s.holder, s.claims)
				case "keep":
					l.Keep(s.holder, s.claims)
				case "release":
					l.Release(s.holder)
				case "lower":
					limit[macs] = 1
				}
				got := ""
				for _, x := range excesses {
					got += x.Error() + "\n"
				}
				if got != s.refuse {
					t.Errorf("step %d, %s for %s: refused with %q, want %q", i+1, s.do, s.holder, got, s.refuse)
				}
			}
			got := map[Account]uint64{}
			for _, u := range l.Usage() {
				got[u.Account] = u.Used
			}
			if !maps.Equal(got, v.used) {
				t.Errorf("reserved are %v, want %v", got, v.used)
			}
		})
	}
}

// TestAnyOrder holds the ledger, through anything in any order, against a plain list of who holds what: it counts each item once, refuses just what would grow
// beyond a limit, changes nothing then, and is empty when all have let go.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := map[Account]uint64{}
		accounts := []Account{blue, macs, tes, rules, uplink, vids}
		redraw := func() {
			for _, a := range accounts {
				limit[a] = rapid.SampledFrom([]uint64{0, 1, 2, 3, 5, 8}).Draw(r, "limit")
			}
		}
		redraw()
		l := New[int](limits(limit))
		model := map[int][]Claim{}
		count := func(m map[int][]Claim) map[Account]uint64 {
			type unit struct {
				Account
				Item
			}
			largest := map[unit]uint64{}
			for _, claims := range m {
				for _, c := range claims {
					u := unit{c.Account, c.Item}
					largest[u] = max(largest[u], c.Amount)
				}
			}
			n := map[Account]uint64{}
			for u, amount := range largest {
				n[u.Account] += amount
			}
			return n
		}
		instead := func(h int, claims []Claim) map[int][]Claim {
			m := maps.Clone(model)
			m[h] = claims
			return m
		}
		holders := rapid.IntRange(1, 4)
		claims := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Claim {
			a := rapid.SampledFrom(accounts).Draw(r, "account")
			return Claim{a, mac(rapid.ByteRange(1, 4).Draw(r, "item")), rapid.Uint64Range(0, 4).Draw(r, "amount")}
		}), 0, 6)
		r.Repeat(map[string]func(*rapid.T){
			"reserve": func(r *rapid.T) {
				h, want := holders.Draw(r, "holder"), claims.Draw(r, "claims")
				before, after := count(model), count(instead(h, want))
				var grows []string
				for a, n := range after {
					if limit[a] > 0 && n > limit[a] && n > before[a] {
						grows = append(grows, fmt.Sprint(Excess{a, limit[a], before[a], n}))
					}
				}
				var got []string
				for _, x := range l.Reserve(h, want) {
					got = append(got, fmt.Sprint(x))
				}
				slices.Sort(grows)
				slices.Sort(got)
				if !slices.Equal(got, grows) {
					r.Fatalf("refused for %v, want %v", got, grows)
				}
				if len(got) > 0 {
					return
				}
				if union := slices.Concat(model[h], want); rapid.Bool().Draw(r, "fails later") {
					model[h] = union
				} else {
					l.Keep(h, want)
					model[h] = want
				}
			},
			"keep": func(r *rapid.T) {
				h, keep := holders.Draw(r, "holder"), claims.Draw(r, "claims")
				l.Keep(h, keep)
				model[h] = keep
			},
			"release": func(r *rapid.T) {
				h := holders.Draw(r, "holder")
				l.Release(h)
				delete(model, h)
			},
			"limits": func(*rapid.T) { redraw() },
			"": func(r *rapid.T) {
				want := count(model)
				maps.DeleteFunc(want, func(_ Account, n uint64) bool { return n == 0 })
				got := map[Account]uint64{}
				for _, u := range l.Usage() {
					got[u.Account] = u.Used
				}
				if !maps.Equal(got, want) {
					r.Fatalf("reserved are %v, want %v", got, want)
				}
			},
		})
		for h := range 5 {
			l.Release(h)
		}
		if len(l.accounts)+len(l.holders)+len(l.items.first)+len(l.items.more) > 0 {
			r.Fatalf("left over: %v, %v, %v", l.accounts, l.holders, l.items)
		}
	})
}

func TestAccountsInWords(t *testing.T) {
	for want, a := range map[string]Account{
		"VMs of TES 198.51.100.11":            tes,
		"VMs in VN blue":                      blue,
		"VMs of TES 198.51.100.11 in VN blue": {Resource: VMs, VN: "blue", TES: tes.TES},
		"MACs of tenant acme":                 {Resource: MACs, Tenant: "acme"},
		"VIDs on port eth1":                   {Resource: VIDs, Port: "eth1"},
		"ACL rules of this edge":              rules,
	} {
		if got := a.String(); got != want {
			t.Errorf("%+v is %q, want %q", a, got, want)
		}
	}
	for r := VMs; r < numResources; r++ {
		if r.Administrative() != (r == VMs || r == MACs) || r.String() == "" {
			t.Errorf("%s: administrative is %v", r, r.Administrative())
		}
	}
}
