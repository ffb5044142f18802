package linux

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// A hundred changes of the policies of both ends and more, while 10,000 frames a second go between them that each of the policies allows: none is lost.
func TestPolicyChangesLoseNoAllowedFrame(t *testing.T) {
	l := newPair(t)
	f := ip(l.c.mac, l.a.mac, l.a.ip4, l.c.ip4, 17, ported(7, 7))
	arrived := l.c.count(t, "eth0", "ingress", "udp dport 7")
	allowing := func(i int) dataplane.VMPolicy {
		rules := []dataplane.Rule{
			{Action: dataplane.Allow, Match: dataplane.Match{Protocol: 17, DstPorts: dataplane.OnePort(7)}},
			{Action: dataplane.Deny, Match: dataplane.Match{Protocol: 17, DstPorts: dataplane.OnePort(uint16(100 + i))}},
			{Action: dataplane.Deny, Match: dataplane.Match{Protocol: 6}},
		}
		p := dataplane.VMPolicy{Sources: []netip.Addr{l.a.ip4, l.c.ip4}, From: dataplane.Direction{Rules: rules}, To: dataplane.Direction{Rules: rules[:1+i%3]}, PCP: dataplane.Some(uint8(i % 8))}
		if i%4 == 1 {
			p.From.Limit, p.To.Limit = dataplane.Limit{Rate: 1e9}, dataplane.Limit{Rate: 2e9}
		}
		return p
	}
	l.set(t, l.policy(l.a, allowing(0)), l.policy(l.c, allowing(0)))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan int)
	var soFar atomic.Int64
	begin := time.Now()
	go func() {
		n, late := 0, time.Duration(0)
		for tick := time.Tick(time.Millisecond); ctx.Err() == nil; <-tick {
			for due := int((time.Since(begin) - late) / (100 * time.Microsecond)); n < due; n++ {
				if due-n > 300 { // this machine had us wait: what a queue of the kernel has no room for is not the policies' doing
					late += time.Duration(due-n-300) * 100 * time.Microsecond
					due = n + 300
				}
				l.at.send(t, f)
			}
			soFar.Store(int64(n))
		}
		sent <- n
	}()
	for i := 1; i <= 100 || soFar.Load() < 1000 && time.Since(begin) < time.Minute; i++ {
		who := []vm{l.a, l.c}[i%2]
		l.set(t, l.policy(who, allowing(i)))
	}
	stop()
	n := <-sent
	t.Logf("%d frames, %.0f a second", n, float64(n)/time.Since(begin).Seconds())
	if n < 1000 {
		t.Errorf("only %d frames were sent", n)
	}
	for deadline := time.Now().Add(5 * time.Second); arrived() < n && time.Now().Before(deadline); {
	}
	if got := arrived(); got != n {
		t.Errorf("%d of %d frames arrived", got, n)
	}
}

// What is prepared is in the kernel, and no frame meets it; in force is one change, and out of force again.
func TestPreparedPolicyMeetsNoFrame(t *testing.T) {
	l := newPair(t)
	f := ip(l.c.mac, l.a.mac, l.a.ip4, l.c.ip4, 17, ported(7, 7))
	all := dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Allow, Match: dataplane.Match{EtherType: 0x88b6}}, {Action: dataplane.Deny}}}
	for _, c := range []struct {
		name string
		who  vm
		p    dataplane.VMPolicy
	}{
		{"from", l.a, dataplane.VMPolicy{From: all, Sources: []netip.Addr{addr("10.0.0.99")}}},
		{"to", l.c, dataplane.VMPolicy{To: all}},
		{"limits", l.a, dataplane.VMPolicy{From: dataplane.Direction{Limit: dataplane.Limit{Rate: 8000, Burst: 1}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := l.policy(c.who, c.p)
			prepared := e
			prepared.InForce = false
			for range 3 {
				l.set(t, prepared)
				if a := l.arrives(t, f, f, f); slices.Contains(a, false) {
					t.Fatalf("the policy is not in force, and frames arrived: %v", a)
				}
				counters, err := l.edge.k.Counters(t.Context(), e.Key)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range slices.Concat(counters[e.Key].From, counters[e.Key].To) {
					if n.Frames != 0 && c.name == "from" {
						t.Errorf("a rule that is not in force counted %d frames", n.Frames)
					}
				}
				if c.name == "limits" {
					break // the fence would not come
				}
				l.set(t, e)
				if a := l.arrives(t, f); a[0] {
					t.Error("the policy is in force, and a frame arrived")
				}
				dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
			}
			dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
		})
	}
}

// A frame for all VMs behind a port goes there if any of them may have it.
func TestFrameForAllGoesWhereOneMayHaveIt(t *testing.T) {
	l := newPair(t)
	second := dataplane.MAC{2, 0, 0, 0, 0, 4} // behind c's port, too
	everyone := dataplane.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	f := ip(everyone, l.a.mac, l.a.ip4, addr("10.0.0.255"), 17, ported(7, 7))
	denying := dataplane.VMPolicy{To: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Deny, Match: dataplane.Match{Protocol: 17}}}}}
	counting := dataplane.VMPolicy{To: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Count}}}}
	first := dataplanetest.Local(vni, second, "blue2")
	policy := func(mac dataplane.MAC, p dataplane.VMPolicy) dataplane.Entry {
		return dataplanetest.Policed(vni, mac, "blue2", p)
	}
	key := policy(second, denying).Key
	for _, step := range []struct {
		name string
		set  []dataplane.Entry
		del  []dataplane.Key
		goes bool
	}{
		{"no policy", nil, nil, true},
		{"the only VM denies it", []dataplane.Entry{policy(l.c.mac, denying)}, nil, false},
		{"a second VM has no policy", []dataplane.Entry{first}, nil, true},
		{"it denies it, too", []dataplane.Entry{policy(second, denying)}, nil, false},
		{"it allows it", []dataplane.Entry{policy(second, counting)}, nil, true},
		{"it denies it again", []dataplane.Entry{policy(second, denying)}, nil, false},
		{"its policy goes out of force", []dataplane.Entry{dataplanetest.Prepared(vni, second, "blue2", denying)}, nil, true},
		{"it goes", nil, []dataplane.Key{first.Key, key}, false},
		{"the first allows it", []dataplane.Entry{policy(l.c.mac, counting)}, nil, true},
	} {
		dataplanetest.Apply(t, l.edge.k, step.set, step.del)
		if got := l.arrives(t, f)[0]; got != step.goes {
			t.Errorf("%s: the frame arrived: %v", step.name, got)
		}
	}
}

// skb->priority is the PCP of the policy of whom a frame is to, and else of whom it is from.
func TestPriorityIsThePCP(t *testing.T) {
	l := newPair(t)
	l.edge.run(t, "nft add table netdev late")
	l.edge.run(t, "nft add chain netdev late out { type filter hook egress device blue2 priority 100 ; policy accept ; }")
	for _, pcp := range []int{0, 3, 5} {
		l.edge.run(t, "nft add rule netdev late out meta protocol ip meta priority 0:%d counter", pcp)
	}
	counted := func() string {
		var all []string
		for line := range strings.Lines(l.edge.run(t, "nft list chain netdev late out")) {
			if f := strings.Fields(line); len(f) > 6 && slices.Contains(f, "packets") {
				all = append(all, f[slices.Index(f, "packets")+1])
			}
		}
		return strings.Join(all, " ")
	}
	f := ip(l.c.mac, l.a.mac, l.a.ip4, l.c.ip4, 17, ported(7, 7))
	for _, step := range []struct {
		set  []dataplane.Entry
		want string
	}{
		{nil, "1 0 0"},
		{[]dataplane.Entry{l.policy(l.a, dataplane.VMPolicy{PCP: dataplane.Some(3)})}, "1 1 0"},
		{[]dataplane.Entry{l.policy(l.c, dataplane.VMPolicy{PCP: dataplane.Some(5)})}, "1 1 1"},
		{[]dataplane.Entry{l.policy(l.c, dataplane.VMPolicy{PCP: dataplane.Some(0)})}, "2 1 1"},
	} {
		l.set(t, step.set...)
		l.arrives(t, f)
		if got := counted(); got != step.want {
			t.Errorf("frames with priority 0, 3, 5: %s, want %s", got, step.want)
		}
	}
}

// What somebody changed of a policy is listed as not whole, and made again, while nothing else is touched.
func TestChangedPolicyIsMadeAgain(t *testing.T) {
	l := newPair(t)
	p := dataplanetest.Web()
	p.From.Limit, p.Guarantee = dataplane.Limit{Rate: 1e6}, 1e6
	mine, other := l.policy(l.a, p), l.policy(l.c, dataplanetest.Web())
	entries := append(l.entries(), mine, other)
	l.set(t, mine, other)
	mac := fmt.Sprintf("%x", mine.MAC[:])
	chain := fmt.Sprintf("blue1/%s/%v", mac, p.Digest())
	handles := func() (all []string) {
		for line := range strings.Lines(l.edge.run(t, "nft -s -a list table netdev tns")) {
			if strings.Contains(line, "# handle") && !strings.Contains(line, "goto blue1/") {
				all = append(all, line)
			}
		}
		return all
	}
	others := func(lines []string) (kept []string) { // of the other VM's chains
		inside := false
		for _, line := range lines {
			if strings.Contains(line, "chain ") {
				inside = strings.Contains(line, "chain blue2")
			}
			if inside {
				kept = append(kept, line)
			}
		}
		return kept
	}
	before := others(handles())
	if len(before) < 5 {
		t.Fatalf("the other VM has only %d rules: %v", len(before), before)
	}
	for _, command := range []string{
		"nft flush chain netdev tns " + chain + "/from",
		"nft add rule netdev tns " + chain + "/from accept",
		"nft insert rule netdev tns " + chain + "/acl accept",
		"nft delete element netdev tns blue1/from { " + mine.MAC.String() + " }",
		"nft delete element netdev tns blue1/to { " + mine.MAC.String() + " }",
		"nft flush set netdev tns tns/addr4",
		"nft add element netdev tns tns/addr4 { blue1 . " + mine.MAC.String() + " . 10.9.9.9 }",
		"nft flush set netdev tns tns/bound6",
		"nft flush chain netdev tns tns/ipv4",
		"nft flush chain netdev tns blue1/group",
		"tc qdisc del dev blue1 clsact",
		"tc filter del dev blue1 egress",
		"tc qdisc del dev blue1 root",
		"tc class change dev blue1 parent 74c0:1 classid 74c0:2 htb rate 2mbit",
	} {
		l.edge.run(t, "%s", command)
		got, err := l.edge.k.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[dataplane.Key]dataplane.Entry{}
		for _, e := range entries {
			want[e.Key] = e
		}
		set, del := dataplane.Diff(want, got)
		l.set(t, set...)
		if len(del) != 0 {
			t.Errorf("after %s there is too much: %v", command, del)
		}
		dataplanetest.Listed(t, l.edge.k, entries...)
		if now := others(handles()); !slices.Equal(now, before) && !strings.Contains(command, "tns/addr4") && !strings.Contains(command, "tns/bound6") {
			t.Errorf("after %s the other VM's rules were touched:\n%s\nwere\n%s", command, strings.Join(now, ""), strings.Join(before, ""))
		} else {
			before = now
		}
		if out := l.edge.run(t, "nft list chain netdev tns tns/ipv4"); strings.Count(out, "\n") < 6 {
			t.Errorf("after %s: %s", command, out)
		}
		if out := l.edge.run(t, "tc filter show dev blue1 ingress"); !strings.Contains(out, "tns_limit_in") {
			t.Errorf("after %s there is no limiter: %s", command, out)
		}
	}
}
