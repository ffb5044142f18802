package nve

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/speaker"
)

// TestPoisonedHypervisor has tes1 send requests for its own VMs in gold, with up to three things in each changed at random: bits, fields, whole communities, which
// may be another VM's, TES's or time's. Whatever it sends, the edge holds nothing that was not vouched for, with its policy and its expiry; the VMs of others
// are not touched; each refusal has its reason. TNS_MUTATIONS is how many requests; labs has the same over a session.
func TestPoisonedHypervisor(t *testing.T) {
	count := 5000
	if text := os.Getenv("TNS_MUTATIONS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("TNS_MUTATIONS=%s: want a number of requests", text)
		}
		count = n
	}
	w := newWorld(t)
	for _, line := range []string{"up tes4", "ask tes4 associate vm90 gold/m90 gold/m90/10.0.0.90 key=7 policy=5", "ask tes4 associate vm91 gold/m91 key=8"} {
		w.do(line)
	}
	p := &poisoned{world: w, Rand: rand.New(rand.NewPCG(8394, 8395)), minted: map[VMKey]map[BindingKey]map[Acceptance]bool{}, reasons: map[evpn.Reason]int{}}
	for _, line := range []string{"tes4 vm90", "tes4 vm91"} {
		for _, r := range w.sets[line].routes {
			p.pool = append(p.pool, r.Communities...)
		}
	}
	victims := []VMKey{{vm(90), id("198.51.100.14")}, {vm(91), id("198.51.100.14")}}
	for i := range count {
		if i%500 == 0 {
			w.do("beacon tes4 lease=600")
		}
		w.lines = nil
		p.act()
		what := fmt.Sprintf("request %d", i)
		w.invariants(what)
		p.holds(what)
		for _, k := range victims {
			if r := w.edge.records[k]; r == nil || r.State != lifecycle.Associated || r.Orphaned {
				t.Fatalf("after %s: the VM %s is touched", what, k.VM)
			}
		}
		for _, l := range w.lines {
			if touched.MatchString(l) {
				t.Fatalf("after %s: %s", what, l)
			}
		}
		if t.Failed() {
			t.Fatalf("it was %s", strings.Join(p.sent, "\n"))
		}
	}
	t.Logf("%d requests; answers by reason: %v", count, p.reasons)
	for _, why := range []evpn.Reason{
		evpn.ReasonNone, evpn.InvalidFormat, evpn.InvalidVNMACOrTag, evpn.FailedAuthorization, evpn.WrongState, evpn.UnknownVM, evpn.UnknownVN, evpn.StaleSequence,
		evpn.BadCredential, evpn.Duplicate, evpn.IncompleteSet,
	} {
		if p.reasons[why] == 0 {
			t.Errorf("nothing was answered with %q", why)
		}
	}
}

// poisoned is tes1, fallen.
type poisoned struct {
	*world
	*rand.Rand
	minted  map[VMKey]map[BindingKey]map[Acceptance]bool // what the VM manager has vouched for, with which credentials
	pool    []evpn.ExtendedCommunity                     // of other requests
	strays  []evpn.RouteKey                              // requests that stand and are none of its VMs'
	reasons map[evpn.Reason]int
	sent    []string // in the last act
}

// ownVMs is how many VMs of its own it has.
const ownVMs = 6

// act sends one set of a VM, some of it changed, and lets a little time pass.
func (p *poisoned) act() {
	n := 1 + p.IntN(ownVMs)
	key := VMKey{vm(byte(n)), id("198.51.100.11")}
	q := evpn.Request{Op: evpn.Associate, Base: p.states[key], VM: key.VM, Index: 1, Count: 1}
	if r := p.edge.records[key]; r != nil {
		q.Sequence = r.sequence + 1
	} else {
		q.Sequence = p.edge.memory.Sequences[key] + 1
	}
	if p.IntN(3) == 0 {
		q.Op = evpn.Op(1 + p.IntN(6))
		q.Flags = evpn.Flags(p.IntN(8) << 1)
	}
	if n%3 > 0 {
		q.Policy = &evpn.Policy{Type: uint32(n % 3), Version: 1, Format: evpn.FormatUUID}
	}
	routes := []string{fmt.Sprintf("gold/m%d", n)}
	if p.IntN(64) == 0 {
		routes = []string{"gold/m90"} // the victim's, vouched for by mistake
	} else if n%2 == 0 {
		routes = append(routes, fmt.Sprintf("gold/m%d/10.0.0.%d", n, n))
		q.Count = 2
	}
	p.sent = nil
	for i, text := range routes {
		q.Index = uint8(i + 1)
		r := p.requestRoute("tes1", bindingOf(text), q.Flags&evpn.FlagDryRun != 0)
		p.vouchFor(&q, key, &r)
		r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(p.config.ID))}, q.Communities()...)
		if p.IntN(4) > 0 {
			p.pool = append(p.pool, r.Communities[1+p.IntN(len(r.Communities)-1)])
		}
		own := r.RouteKey
		for range p.IntN(4) {
			p.mutate(&r)
		}
		p.sent = append(p.sent, fmt.Sprintf("%+v", r))
		p.hear(names["tes1"], r)
		if r.RouteKey != own {
			p.strays = append(p.strays, r.RouteKey)
		}
	}
	if len(p.pool) > 512 {
		p.pool = p.pool[p.IntN(256):]
	}
	for len(p.strays) > 8 || len(p.strays) > 0 && p.IntN(4) > 0 {
		p.tesEvent(speaker.Event{Kind: speaker.Withdrawn, Peer: names["tes1"], Epoch: p.peers[names["tes1"]].epoch, Key: p.strays[0]})
		p.strays = p.strays[1:]
	}
	p.pass(time.Duration(p.IntN(200)) * time.Millisecond)
	for _, l := range p.lines {
		p.tally(l)
	}
}

// vouchFor puts a credential into a request: mostly a good one that lasts for a few seconds, or one that has expired, or none.
func (p *poisoned) vouchFor(q *evpn.Request, key VMKey, r *evpn.Route) {
	q.Credential, q.Expiry = nil, nil
	valid := time.Duration(1+p.IntN(9)) * time.Second
	switch p.IntN(6) {
	case 0:
		return
	case 1:
		valid = -valid
	}
	expiry := uint32(p.now.Add(valid).Unix())
	q.Expiry = &expiry
	what := q.Consent(key.TES, r)
	n := uint16(7 + p.IntN(2))
	q.Credential = new(what.Credential(keyOf(n), n))
	if valid < 0 {
		return
	}
	b := BindingKey{r.Label, evpn.HashVNName("gold"), r.MAC, r.IP}
	p.vouched[vouched{key, b, credentialed(q.Policy)}] = true
	if p.minted[key] == nil {
		p.minted[key] = map[BindingKey]map[Acceptance]bool{}
	}
	if p.minted[key][b] == nil {
		p.minted[key][b] = map[Acceptance]bool{}
	}
	if len(p.minted[key][b]) > 1000 { // what has expired is not accepted any more; what was accepted stays
		maps.DeleteFunc(p.minted[key][b], func(a Acceptance, _ bool) bool {
			return a != p.edge.memory.Acceptances[key][b] && !p.now.Before(endOf(a.Expiry))
		})
	}
	p.minted[key][b][Acceptance{credentialed(q.Policy), *q.Credential, expiry}] = true
}

// holds checks that each acceptance is one that the VM manager minted, expiry and all.
func (p *poisoned) holds(what string) {
	for k, all := range p.edge.memory.Acceptances {
		if k.TES != id("198.51.100.11") {
			continue
		}
		for b, a := range all {
			if !p.minted[k][b][a] {
				p.t.Errorf("after %s: %v %v is accepted by %+v, which was not minted", what, k, b, a)
			}
		}
	}
}

// touched is a line that does something to a VM of others.
var touched = regexp.MustCompile(`^(set|unset|fabric).*gold/m9[01]\b`)

// answered is a response to tes1, with its reason.
var answered = regexp.MustCompile(`^respond tes1 .*: (SUCCESS|FAIL|FAIL-KEPT) [a-z-]+( \d+)? @`)

// tally counts an answer; one that refuses has a reason.
func (p *poisoned) tally(line string) {
	m := answered.FindStringSubmatch(line)
	if m == nil {
		return
	}
	n, _ := strconv.Atoi(strings.TrimSpace(m[2]))
	if (m[1] == "SUCCESS") != (n == 0) {
		p.t.Errorf("%s: a refusal has a reason, and nothing else has", line)
	}
	p.reasons[evpn.Reason(n)]++
}

// mutate changes one thing in a request.
func (p *poisoned) mutate(r *evpn.Route) {
	bit := func(b []byte) { b[p.IntN(len(b))] ^= 1 << p.IntN(8) }
	r.Communities = slices.Clone(r.Communities)
	i := 0
	if len(r.Communities) > 1 {
		i = 1 + p.IntN(len(r.Communities)-1)
	}
	admin, number, _ := r.RD.Split()
	switch p.IntN(18) {
	case 0, 1, 2, 3: // a bit of a community
		bit(r.Communities[i][:])
	case 4, 5, 6: // another's of its kind, or any
		c := p.pool[p.IntN(len(p.pool))]
		if j := slices.IndexFunc(r.Communities, func(d evpn.ExtendedCommunity) bool { return c[0] == d[0] && c[1] == d[1] }); j > 0 {
			r.Communities[j] = c
		} else {
			r.Communities = append(r.Communities, c)
		}
	case 7: // one less
		if i > 0 {
			r.Communities = slices.Delete(r.Communities, i, i+1)
		}
	case 8: // one twice, a bit of it changed
		c := r.Communities[i]
		bit(c[2:])
		r.Communities = append(r.Communities, c)
	case 9:
		p.Shuffle(len(r.Communities), func(i, j int) { r.Communities[i], r.Communities[j] = r.Communities[j], r.Communities[i] })
	case 10:
		bit(r.MAC[:])
	case 11:
		r.MAC = []evpn.MAC{mac(90), mac(91), mac(byte(1 + p.IntN(ownVMs))), {}, {1}}[p.IntN(5)]
	case 12:
		r.Label = []evpn.VNI{0, vnis["blue"], vnis["red"], vnis["gold"], r.Label ^ 1<<p.IntN(24), evpn.VNI(p.Uint32N(1 << 24))}[p.IntN(6)]
	case 13:
		switch p.IntN(3) {
		case 0:
			r.IP = addr("10.0.0.90")
		case 1:
			r.IP = addr("2001:db8::90")
		case 2:
			r.IP = bindingOf(fmt.Sprintf("gold/m1/%d.%d.0.%d", p.IntN(256), p.IntN(256), p.IntN(100))).ip
		}
	case 14:
		bit(r.RD[:])
	case 15:
		other := []evpn.RouterID{id("198.51.100.12"), id("198.51.100.14"), admin}[p.IntN(3)]
		r.RD = evpn.NewRD(other, []uint16{number, evpn.DryRunRD, evpn.BeaconRD}[p.IntN(3)])
	case 16:
		r.NextHop = names[[]string{"tes2", "tes4", "edge2"}[p.IntN(3)]]
	case 17:
		if p.IntN(2) == 0 {
			r.Tag = evpn.EthernetTag(p.Uint32())
		} else {
			bit(r.ESI[:])
		}
	}
}
