package nve

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/policy"
	"github.com/tns-project/tns/lifecycle/tag"
	"github.com/tns-project/tns/speaker"
)

// world is an edge with everything around it pretended: time, both planes, the kernel, the disk. What the edge does is written down as lines.
//
// There are VN mauve (10800), of tenant acme, whose baseline denies mail and priorities above 3, and whose VMs have profile 5 if they name none; and profiles, all of
// version 1: 5 web, 6 shut, which denies what web allows, 7 urgent (priority 5), 8 mailer, which is for mail, 9 plain and 1, 3, 4 and 10, which say nothing, and 11, which is for red only.
//
// There are two VNs, blue (10100) and red (10200), and green (10300), whose VMs are kept alive one by one, and gold (10400), which wants credentials by one
// of the keys 7 and 8; red has key 7 too. Pink (10500), lime (10600) and grey (10700) are on trunks: that of tes1 and tes3, and those of tes2 and tes4, which are one
// segment with the VIDs 100 and 101, and 300 for lime. Of those behind gold's ports, tes2 may not use it. There are tes1, tes2 and tes4 behind the edge, tes3 behind
// the signalling reflector srr; another edge, edge2 at 192.0.2.2, and edge0 at 192.0.1.9, whose address is lower than ours, behind the fabric's reflector.
type world struct {
	t      reporter
	now    time.Time
	config Config
	disk   *disk
	edge   *Edge
	lines  []string
	mute   bool // write nothing down
	tells  bool // write down what middleboxes are told

	tes, fabric *plane
	kernel      *kernel
	verdicts    map[evpn.MAC]evpn.Reason // what the authorizer refuses
	holdAnswers bool                     // the authorizer answers when told to
	trusting    bool                     // there is no authorizer
	answers     []func()

	peers   map[netip.Addr]*sessions
	sets    map[string]*asked // the last set that a TES asked with, by "tes vm"
	states  map[VMKey]evpn.State
	lowered bool             // limits were lowered below what was held
	vouched map[vouched]bool // what the VM manager has made good credentials for
}

// vouched is a binding and the policy for it.
type vouched struct {
	VMKey
	BindingKey
	policy evpn.Policy
}

// reporter is a test, a benchmark, or one run of a property.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// sessions counts a peer's sessions.
type sessions struct {
	epoch uint64
	up    bool
}

// asked is a set of requests that stands.
type asked struct {
	sequence uint32
	routes   []evpn.Route
}

var (
	nveID = addr("192.0.2.1")
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func id(s string) evpn.RouterID {
	r, err := evpn.RouterIDFromAddr(addr(s))
	if err != nil {
		panic(err)
	}
	return r
}

var names = map[string]netip.Addr{
	"tes1": addr("198.51.100.11"), "tes2": addr("198.51.100.12"), "tes3": addr("198.51.100.13"), "tes4": addr("198.51.100.14"),
	"stranger": addr("198.51.100.99"), "srr": addr("192.0.2.253"), "srr2": addr("192.0.2.252"),
	"self": addr("192.0.2.1"), "frr": addr("192.0.2.254"), "edge2": addr("192.0.2.2"), "edge3": addr("192.0.2.3"), "edge0": addr("192.0.1.9"),
	"edge6": addr("2001:db8::2"), "loop": addr("127.0.0.1"),
}

func nameOf(a netip.Addr) string {
	for n, b := range names {
		if a == b {
			return n
		}
	}
	return a.String()
}

var vnis = map[string]evpn.VNI{"blue": 10100, "red": 10200, "green": 10300, "gold": 10400, "pink": 10500, "lime": 10600, "grey": 10700, "mauve": 10800, "nowhere": 99999, "elsewhere": 88888}

func vnOf(v evpn.VNI) string {
	for n, w := range vnis {
		if w == v {
			return n
		}
	}
	return fmt.Sprint(uint32(v))
}

func worldConfig() Config {
	tess := []evpn.RouterID{id("198.51.100.11"), id("198.51.100.13")}
	vn := func(name, port string) VN {
		return VN{Name: name, VNI: vnis[name], Ports: []Port{{Name: port + "1", TES: tess}, {Name: port + "2", TES: []evpn.RouterID{id("198.51.100.12")}}}}
	}
	green := vn("green", "eth3")
	green.PerVMKeepAlive = true
	blue, red, gold := vn("blue", "eth1"), vn("red", "eth2"), vn("gold", "eth4")
	blue.Tenant = "acme"
	red.Tenant = "acme"
	red.Keys = map[uint16]evpn.CredentialKey{7: keyOf(7)}
	gold.Keys = map[uint16]evpn.CredentialKey{7: keyOf(7), 8: keyOf(8)}
	gold.Ports = append(gold.Ports, Port{Name: "eth43", TES: []evpn.RouterID{id("198.51.100.14")}})
	trunked := func(name string) VN {
		return VN{Name: name, VNI: vnis[name], Ports: []Port{
			{Name: "trunk1", TES: tess, Segment: "trunk1"},
			{Name: "trunk2", TES: []evpn.RouterID{id("198.51.100.12")}, Segment: "shared"},
			{Name: "trunk3", TES: []evpn.RouterID{id("198.51.100.14")}, Segment: "shared"},
		}}
	}
	gold.Credentialed, gold.TES = true, []evpn.RouterID{id("198.51.100.11"), id("198.51.100.13"), id("198.51.100.14")}
	mauve := vn("mauve", "eth8")
	tenant := policy.Baseline{Of: "tenant acme", MaxPCP: policy.Just(3)}
	mauve.Baseline = tenant.Join(policy.Baseline{Of: "VN mauve", FromVM: policy.Limits("VN mauve", []policy.Rule{{Name: "no-mail", Action: policy.Deny, Match: tcp(25)}})})
	mauve.DefaultPolicy = policy.ID{Type: 5, Version: 1}
	direct := func(s string) Neighbor { return Neighbor{Prefix: netip.PrefixFrom(addr(s), 32)} }
	return Config{
		ID: id("192.0.2.1"), AS: 65000, VTEP: nveID,
		VNs: []VN{blue, red, green, gold, trunked("pink"), trunked("lime"), trunked("grey"), mauve}, Profiles: worldProfiles(),
		Segments: []Segment{{Name: "trunk1"}, {Name: "shared", VIDs: []tag.Range{{First: 100, Last: 101}}, Fixed: map[evpn.VNI]uint16{10600: 300}}},
		Neighbors: []Neighbor{
			direct("198.51.100.11"), direct("198.51.100.12"), direct("198.51.100.14"),
			{Prefix: netip.MustParsePrefix("192.0.2.253/32"), IDs: []evpn.RouterID{id("198.51.100.13")}, Reflector: true},
			{Prefix: netip.MustParsePrefix("192.0.2.252/32"), IDs: []evpn.RouterID{id("198.51.100.13")}, Reflector: true},
			{Prefix: netip.MustParsePrefix("203.0.113.0/24"), IDs: []evpn.RouterID{id("198.51.100.11")}},
		},
		FabricPeers: []netip.Addr{names["frr"]},
	}
}

func tcp(port uint16) policy.Match {
	return policy.Match{Protocol: policy.Just(policy.TCP), DestinationPorts: policy.Ports{First: port, Last: port}}
}

func worldProfiles() map[policy.ID]*policy.Profile {
	all := map[policy.ID]*policy.Profile{}
	profile := func(id uint32, name string, rules ...policy.Rule) *policy.Profile {
		p := &policy.Profile{ID: policy.ID{Type: id, Version: 1}, Name: name}
		p.FromVM.Rules = rules
		all[p.ID] = p
		return p
	}
	profile(5, "web", policy.Rule{Name: "http", Match: tcp(80)})
	profile(12, "sure").Guaranteed = 1e6
	profile(6, "shut", policy.Rule{Name: "nothing", Action: policy.Deny, Match: policy.Match{Protocol: policy.Just(policy.TCP)}}).FromVM.Default = policy.Deny
	profile(7, "urgent").PCP = policy.Just(5)
	profile(8, "mailer", policy.Rule{Name: "mail", Match: tcp(25)})
	profile(9, "plain")
	profile(11, "reds").VNs = []string{"red"}
	for _, id := range []uint32{1, 3, 4, 10} {
		profile(id, fmt.Sprintf("empty-%d", id))
	}
	return all
}

// newWorld is a world whose start is over: the fabric's reflector, tes1 and tes2 are there and have said all they have.
func newWorld(t reporter, change ...func(*Config)) *world {
	w := emptyWorld(t, change...)
	for _, p := range []string{"up frr", "eor frr", "up tes1", "eor tes1", "up tes2", "eor tes2"} {
		w.do(p)
	}
	w.lines = nil
	return w
}

// emptyWorld is a world in which the edge has just started.
func emptyWorld(t reporter, change ...func(*Config)) *world {
	w := &world{
		t: t, now: start, config: worldConfig(), disk: newDisk(),
		verdicts: map[evpn.MAC]evpn.Reason{}, peers: map[netip.Addr]*sessions{}, sets: map[string]*asked{}, states: map[VMKey]evpn.State{}, vouched: map[vouched]bool{},
	}
	for _, f := range change {
		f(&w.config)
	}
	w.kernel = &kernel{w: w, entries: map[dataplane.Key]dataplane.Entry{}, failing: map[string]bool{}}
	w.boot()
	return w
}

// boot starts the edge, with what the disk has and the kernel holds; every session is new then.
func (w *world) boot() {
	w.tes = &plane{w: w, name: "response", routes: map[evpn.RouteKey]evpn.Route{}}
	w.fabric = &plane{w: w, name: "fabric", routes: map[evpn.RouteKey]evpn.Route{}}
	w.kernel.pending, w.kernel.complete = nil, false
	w.kernel.asked = map[dataplane.Key]dataplane.Entry{}
	for _, s := range w.peers {
		s.up = false
	}
	w.config.Restarted = len(w.kernel.entries) > 0
	w.find()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	e, err := New(w.config, Parts{TES: w.tes, Fabric: w.fabric, Forwarder: w.kernel, Authorizer: w, Demands: demands, Store: w.disk, Middleboxes: w, Caller: w, History: history.New(64, 16), Log: logrus.NewEntry(quiet)})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.edge = e; w.trusting {
		e.Authorizer = nil
	}
	w.turn(e.start)
}

// Call is the world's guard.
func (w *world) Call(addresses []netip.Addr, only bool) {
	s := "call"
	for _, a := range addresses {
		s += " " + nameOf(a)
	}
	if only {
		s += " only"
	}
	w.say("%s", s)
}

// withExpress is a world in which edges with addresses in 192.0.2.0/28 may be called, two of them.
func withExpress(c *Config) {
	c.Express = &Express{Address: nveID, Peers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}, Max: 2, Linger: 10 * time.Second}
}

// turn is a turn of the loop, with the answers of the kernel that it brings.
func (w *world) turn(input func()) {
	w.edge.turn(w.now, input)
	w.kernel.answer()
}

func (w *world) say(format string, args ...any) {
	if !w.mute {
		w.lines = append(w.lines, fmt.Sprintf(format, args...))
	}
}

// pass lets time pass, turn by turn.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := w.now.Add(w.edge.timers.wait(w.now))
		if next.After(end) {
			break
		}
		w.now = next
		w.turn(func() {})
	}
	w.now = end
	w.turn(func() {})
}

// demands is what a policy of the world takes: as many ACL rules as its number, and a hundred times as many bits a second.
func demands(_ string, p evpn.Policy) Demand {
	return Demand{ACLRules: uint64(p.Type), Bandwidth: 100 * uint64(p.Type)}
}

// keyOf is a credential key of the world.
func keyOf(id uint16) evpn.CredentialKey {
	key, err := evpn.ParseCredentialKey(strings.Repeat(fmt.Sprintf("%02x", id), 32))
	if err != nil {
		panic(err)
	}
	return key
}

// Authorize is the world's authorizer: what the test refuses.
func (w *world) Authorize(q Question, answer func(Verdict)) {
	w.check(slices.IsSortedFunc(q.Bindings, func(a, b QuestionBinding) int { return compareRoutes(a.Key, b.Key) }), "the question's bindings have no order")
	v := Verdict{}
	for _, b := range q.Bindings {
		if why := w.verdicts[b.Key.MAC]; why != 0 {
			v[b.Key] = why
		}
	}
	if w.holdAnswers {
		w.say("authorize %s for %s", vmName(q.VM), nameOf(q.TES.Addr()))
		w.answers = append(w.answers, func() { answer(v) })
		return
	}
	answer(v)
}

func (w *world) check(ok bool, format string, args ...any) {
	w.t.Helper()
	if !ok {
		w.t.Errorf(format, args...)
	}
}

// plane is one of the two BGP speakers.
type plane struct {
	w       *world
	name    string
	routes  map[evpn.RouteKey]evpn.Route
	refuses bool
}

func (p *plane) Announce(r evpn.Route) error {
	if p.refuses {
		return errors.New("no room")
	}
	p.routes[r.RouteKey] = r
	if p.name == "fabric" {
		p.w.checkFabric(r)
		p.w.say("fabric %s", fabricText(r))
		return nil
	}
	p.w.checkResponse(r)
	p.w.say("%s", p.w.responseText(r))
	return nil
}

func (p *plane) Withdraw(k evpn.RouteKey) error {
	r, ok := p.routes[k]
	p.w.check(ok, "%s %s is withdrawn and does not stand", p.name, k)
	delete(p.routes, k)
	switch {
	case p.name == "fabric" && k.Type == evpn.InclusiveMulticast:
		p.w.say("fabric withdraw %s", vnOf(r.PMSI.Label))
	case p.name == "fabric":
		p.w.say("fabric withdraw %s", place4(vnOf(r.Label), k))
	case k.Type == evpn.InclusiveMulticast:
		p.w.say("reply beacon withdrawn from %s", nameOf(evpn.RouterID(k.Tag).Addr()))
	default:
		p.w.say("respond %s %s nothing", nameOf(evpn.RouterID(k.Tag).Addr()), place4(vnOf(r.Label), k))
	}
	return nil
}

// checkFabric holds a fabric route against SPEC §1 and §4.
func (w *world) checkFabric(r evpn.Route) {
	said, edge := evpn.DecodeEdge(r.Communities)
	w.check(edge == (r.Type == evpn.InclusiveMulticast && w.config.Express != nil), "fabric route %s bears EDGE: %v", r.RouteKey, edge)
	rest := r
	rest.Communities = slices.DeleteFunc(slices.Clone(r.Communities), func(c evpn.ExtendedCommunity) bool { return edge && c == said.Community() })
	w.check(!rest.Signalling(), "fabric route %s bears a community of ours", r.RouteKey)
	w.check(len(r.LargeCommunities) == 0, "fabric route %s bears the mirror", r.RouteKey)
	w.check(slices.Contains(r.Communities, evpn.EncapsulationVXLAN), "fabric route %s has no encapsulation", r.RouteKey)
	w.check(r.NextHop == nveID && r.Tag == 0 && r.ESI == evpn.ESI{}, "fabric route %s: next hop %s", r.RouteKey, r.NextHop)
	admin, n, ok := r.RD.Split()
	w.check(ok && admin == w.config.ID && n%2 == 0 && n > 0, "fabric route %s: RD is one of the responses", r.RouteKey)
	vni := r.Label
	if r.Type == evpn.InclusiveMulticast {
		w.check(r.PMSI != nil && r.PMSI.Type == evpn.IngressReplication && r.PMSI.ID == nveID, "type 3 %s: PMSI %+v", r.RouteKey, r.PMSI)
		vni = r.PMSI.Label
	}
	targets := []evpn.RouteTarget{evpn.AutoRouteTarget(w.config.AS, vni)}
	for _, v := range w.config.VNs {
		if v.VNI == vni && len(v.Export) > 0 {
			targets = v.Export
		}
	}
	w.check(slices.Equal(r.RouteTargets(), targets), "fabric route %s: targets %v", r.RouteKey, r.RouteTargets())
	m, has := r.Mobility()
	w.check(!m.Sticky && has == (m.Sequence > 0), "fabric route %s: mobility %+v, there: %v", r.RouteKey, m, has)
}

// checkResponse holds a response against SPEC §1.
func (w *world) checkResponse(r evpn.Route) {
	tes := evpn.RouterID(r.Tag)
	w.check(slices.Equal(r.RouteTargets(), []evpn.RouteTarget{evpn.ResponseTarget(tes)}), "response %s: targets %v", r.RouteKey, r.RouteTargets())
	w.check(r.NextHop == nveID && r.ESI == evpn.ESI{}, "response %s: next hop %s", r.RouteKey, r.NextHop)
	w.check(!slices.Contains(r.Communities, evpn.EncapsulationVXLAN), "response %s has an encapsulation", r.RouteKey)
	admin, n, ok := r.RD.Split()
	w.check(ok && admin == w.config.ID && (n == 0 || n%2 == 1), "response %s: RD is one of the fabric's", r.RouteKey)
}

func fabricText(r evpn.Route) string {
	if r.Type == evpn.InclusiveMulticast {
		if e, ok := evpn.DecodeEdge(r.Communities); ok {
			return fmt.Sprintf("%s, EDGE %s %v", vnOf(r.PMSI.Label), nameOf(e.Addr()), e.Express)
		}
		return vnOf(r.PMSI.Label)
	}
	m, _ := r.Mobility()
	return fmt.Sprintf("%s sequence %d", place4(vnOf(r.Label), r.RouteKey), m.Sequence)
}

func place4(vn string, k evpn.RouteKey) string {
	s := vn + "/" + macName(k.MAC)
	if k.IP.IsValid() {
		s += "/" + k.IP.String()
	}
	return s
}

func (w *world) responseText(r evpn.Route) string {
	to := nameOf(evpn.RouterID(r.Tag).Addr())
	if r.Type == evpn.InclusiveMulticast {
		b, err := evpn.DecodeReplyBeacon(r.Communities)
		w.check(err == nil, "reply beacon: %v", err)
		return fmt.Sprintf("reply beacon to %s: %d live", to, b.Digest.Live)
	}
	a, err := evpn.DecodeResponse(r.Communities)
	w.check(err == nil, "response %s: %v", r.RouteKey, err)
	mirror, ok := evpn.DecodeMirror(r.LargeCommunities[0])
	w.check(ok && mirror.Response && mirror.Status == a.Status && mirror.Reason == a.Reason && mirror.State == a.State && mirror.Sequence == a.Sequence, "response %s: mirror %v", r.RouteKey, mirror)
	w.check((a.VNName != nil) == (r.Label != 0), "response %s: VN-NAME %v", r.RouteKey, a.VNName)
	hasTag := a.State >= evpn.StatePreAssociated && a.State <= evpn.StateEmigrating && r.Label != 0
	if a.Tag == nil && a.Status == evpn.FailKept && a.VM != nil && !w.edge.records[VMKey{*a.VM, evpn.RouterID(r.Tag)}].holds(StationKey{r.Label, r.MAC}) {
		hasTag = false // the VM is not in the VN, and the segment may have no VID for it
	}
	w.check((a.Tag != nil) == hasTag, "response %s: state %s, tag %v", r.RouteKey, a.State, a.Tag)
	s := "respond " + to + " " + place4(vnOf(r.Label), r.RouteKey)
	if a.VM != nil {
		s += " " + vmName(*a.VM)
		if _, n, _ := r.RD.Split(); n != evpn.DryRunRD && (a.Status == evpn.Success || a.Status == evpn.Fail) {
			w.states[VMKey{*a.VM, evpn.RouterID(r.Tag)}] = a.State
		}
	} else {
		s += " -"
	}
	s += fmt.Sprintf(": %s %s", strings.ToUpper(a.Status.String()), a.State)
	if a.Reason != 0 {
		s += fmt.Sprintf(" %d", a.Reason)
	}
	s += fmt.Sprintf(" @%d", a.Sequence)
	if a.Lease == nil {
		w.t.Errorf("response %s has no LEASE", r.RouteKey)
	} else if a.Lease.Lifetime > 0 {
		s += fmt.Sprintf(" %ds", a.Lease.Lifetime)
	}
	if t := a.Tag; t != nil && *t != (evpn.LocalTag{}) {
		if t.Type != evpn.TagNone {
			s += fmt.Sprintf(" vid=%d", t.VID)
		}
		if t.PCP != 0 {
			s += fmt.Sprintf(" pcp=%d", t.PCP)
		}
		if t.Change != 0 {
			s += fmt.Sprintf(" change=%d", t.Change)
		}
		w.check((t.Type == evpn.TagDot1Q) == (t.VID != 0), "response %s: tag %+v", r.RouteKey, *t)
	}
	return s
}

// kernel is the forwarding table: it answers when it is asked to, at once unless it is held.
type kernel struct {
	w          *world
	entries    map[dataplane.Key]dataplane.Entry // what it holds
	asked      map[dataplane.Key]dataplane.Entry // what it should hold
	generation dataplane.Generation
	pending    []dataplane.Result
	held       bool
	failing    map[string]bool // MACs and tagged ports that it refuses
	complete   bool
}

func (k *kernel) Set(e dataplane.Entry) dataplane.Generation {
	k.w.check(e.Validate() == nil, "entry %s: %v", e, e.Validate())
	if was, ok := k.asked[e.Key]; !ok || !was.Equal(e) {
		k.w.say("set %s", entryText(e))
	}
	k.asked[e.Key] = e
	return k.put(e.Key, false)
}

func (k *kernel) Unset(key dataplane.Key) dataplane.Generation {
	if _, ok := k.asked[key]; ok {
		k.w.say("unset %s", entryText(dataplane.Entry{Key: key}))
	}
	delete(k.asked, key)
	return k.put(key, true)
}

func (k *kernel) put(key dataplane.Key, removed bool) dataplane.Generation {
	k.generation++
	r := dataplane.Result{Generation: k.generation, Key: key, Removed: removed}
	if i := slices.IndexFunc(k.pending, func(r dataplane.Result) bool { return r.Key == key }); i >= 0 {
		k.pending[i] = r // overtaken, in its place
	} else {
		k.pending = append(k.pending, r)
	}
	return k.generation
}

// retry is what the reconciler does by itself: what is asked for and not there is tried again.
func (k *kernel) retry() {
	for _, key := range slices.SortedFunc(maps.Keys(k.asked), func(a, b dataplane.Key) int { return cmp.Compare(a.String(), b.String()) }) {
		if have, ok := k.entries[key]; !ok || !have.Equal(k.asked[key]) {
			k.put(key, false)
		}
	}
}

// answer does what was asked and says so.
func (k *kernel) answer() {
	for !k.held && len(k.pending) > 0 {
		r := k.pending[0]
		k.pending = k.pending[1:]
		switch {
		case !r.Removed && k.failing[macName(evpn.MAC(r.Key.MAC))], !r.Removed && r.Key.Kind == dataplane.Tag && k.failing[r.Key.Port],
			!r.Removed && r.Key.Kind == dataplane.Policy && k.failing["policy"]:
			r.Err = errors.New("no buffer space available")
		case !r.Removed && !k.policed(k.asked[r.Key]):
			r.Err = errors.New("its policy is not in force")
		case r.Removed:
			delete(k.entries, r.Key)
		default:
			k.entries[r.Key] = k.asked[r.Key]
		}
		k.checkPoliced(r.Key)
		k.w.edge.turn(k.w.now, func() { k.w.edge.handleResult(r) })
	}
}

// policed reports whether an entry may be set as far as policies go: a MAC's local entry only when its policy is in force.
func (k *kernel) policed(e dataplane.Entry) bool {
	key := dataplane.Key{Kind: dataplane.Policy, VNI: e.VNI, MAC: e.MAC}
	if _, ok := k.asked[key]; !ok || e.Kind != dataplane.Unicast || e.LocalPort == "" {
		return true
	}
	p := k.entries[key]
	return p.InForce && p.LocalPort == e.LocalPort
}

// checkPoliced holds what the kernel has now against the rule that no frame of a MAC goes without the policy that there should be.
func (k *kernel) checkPoliced(changed dataplane.Key) {
	if changed.Kind != dataplane.Policy {
		return
	}
	unicast := changed
	unicast.Kind = dataplane.Unicast
	_, asked := k.asked[changed]
	e, held := k.entries[changed]
	k.w.check(k.entries[unicast].LocalPort == "" || held && e.InForce || !held && !asked || !held && (k.failing["policy"] || k.failing[macName(evpn.MAC(changed.MAC))]), "%s goes on without its policy: %v, %v", unicast, e, asked)
}

func (k *kernel) Hold()    {}
func (k *kernel) Release() {}

func (k *kernel) Complete() {
	k.complete = true
	k.w.say("complete")
	for key := range k.entries {
		if _, ok := k.asked[key]; !ok {
			delete(k.entries, key)
		}
	}
}

func entryText(e dataplane.Entry) string {
	vn := vnOf(evpn.VNI(e.VNI))
	switch e.Kind {
	case dataplane.Unicast:
		s := vn + "/" + macName(evpn.MAC(e.MAC))
		if e.LocalPort != "" {
			s += " on " + e.LocalPort
		}
		if e.VTEP.IsValid() {
			s += " at " + nameOf(e.VTEP)
		}
		return s
	case dataplane.Flood:
		return "flood " + vn + " " + nameOf(e.IP)
	case dataplane.Neighbor:
		s := "neighbor " + vn + " " + e.IP.String()
		if e.LinkAddr != (dataplane.MAC{}) {
			s += " " + macName(evpn.MAC(e.LinkAddr))
		}
		return s
	}
	if e.Kind == dataplane.Tag {
		s := "tag " + vn + " on " + e.Port
		if e.VIDs.Send != 0 {
			s += fmt.Sprintf(": send %d", e.VIDs.Send)
		}
		if e.VIDs.Also != 0 {
			s += fmt.Sprintf(", take %d", e.VIDs.Also)
		}
		return s
	}
	if e.Kind == dataplane.Policy {
		s := "policy " + vn + "/" + macName(evpn.MAC(e.MAC))
		if e.Policy == nil {
			return s
		}
		for _, ip := range e.Policy.Sources {
			s += " " + ip.String()
		}
		for _, r := range slices.Concat(e.Policy.From.Rules, e.Policy.To.Rules) {
			s += fmt.Sprintf(" %s:%s", r.Action, r.Name)
		}
		if e.Policy.PCP.Set {
			s += fmt.Sprintf(" pcp %d", e.Policy.PCP.Value)
		}
		if !e.InForce {
			return s + " prepared on " + e.LocalPort
		}
		return s + " in force on " + e.LocalPort
	}
	return "port " + e.Port
}

// disk is a store in memory.
type disk struct{ m Memory }

func newDisk() *disk {
	d := &disk{}
	d.m.init()
	return d
}

func (d *disk) Load() (Memory, error) {
	var m Memory
	m.init()
	for k, v := range d.m.Numbers {
		m.Numbers[k] = v
	}
	for k, v := range d.m.TESs {
		m.TESs[k] = v
	}
	for k, v := range d.m.Sequences {
		m.Sequences[k] = v
	}
	for k, v := range d.m.Mobility {
		m.Mobility[k] = v
	}
	for k, v := range d.m.Acceptances {
		m.Acceptances[k] = maps.Clone(v)
	}
	for k, v := range d.m.Holdings {
		m.Holdings[k] = slices.Clone(v)
	}
	for k, v := range d.m.Tags {
		m.Tags[k] = v
	}
	for k, v := range d.m.Told {
		m.Told[k] = slices.Clone(v)
	}
	m.Draining = maps.Clone(d.m.Draining)
	return m, nil
}

func (d *disk) PutTag(k tag.Key, t *tag.Tag) {
	if t == nil {
		delete(d.m.Tags, k)
		return
	}
	d.m.Tags[k] = *t
}

func (d *disk) PutTold(k VMKey, st StationKey, t *Told) {
	all := d.m.Told[k]
	if t == nil {
		all.Drop(st)
	} else {
		all.Put(st, *t)
	}
	if d.m.Told[k] = all; len(all) == 0 {
		delete(d.m.Told, k)
	}
}

func (d *disk) PutDraining(v evpn.VNI, on bool) {
	if on {
		d.m.Draining[v] = struct{}{}
	} else {
		delete(d.m.Draining, v)
	}
}

func (d *disk) PutHolding(k VMKey, h Holding) {
	if len(h) == 0 {
		delete(d.m.Holdings, k)
		return
	}
	d.m.Holdings[k] = slices.Clone(h)
}

func (d *disk) PutNumber(v evpn.VNI, n uint16)                      { d.m.Numbers[v] = n }
func (d *disk) PutTES(id evpn.RouterID)                             { d.m.TESs[id] = struct{}{} }
func (d *disk) DropTES(id evpn.RouterID)                            { delete(d.m.TESs, id) }
func (d *disk) PutSequence(vm evpn.VMID, t evpn.RouterID, s uint32) { d.m.Sequences[VMKey{vm, t}] = s }
func (d *disk) DropSequence(vm evpn.VMID, t evpn.RouterID)          { delete(d.m.Sequences, VMKey{vm, t}) }
func (d *disk) PutMobility(v evpn.VNI, mac evpn.MAC, m Mobility) {
	d.m.Mobility[StationKey{v, mac}] = m
}
func (d *disk) DropMobility(v evpn.VNI, mac evpn.MAC) { delete(d.m.Mobility, StationKey{v, mac}) }
func (d *disk) PutAcceptance(k VMKey, b BindingKey, a Acceptance) {
	if d.m.Acceptances[k] == nil {
		d.m.Acceptances[k] = map[BindingKey]Acceptance{}
	}
	d.m.Acceptances[k][b] = a
}
func (d *disk) DropAcceptance(k VMKey, b BindingKey) {
	delete(d.m.Acceptances[k], b)
	if len(d.m.Acceptances[k]) == 0 {
		delete(d.m.Acceptances, k)
	}
}

// tesEvent and fabricEvent hand the edge what a peer says.
func (w *world) tesEvent(ev speaker.Event) {
	ev.At = w.now
	w.turn(func() { w.edge.handleTES(ev) })
}

func (w *world) fabricEvent(ev speaker.Event) {
	ev.At = w.now
	w.turn(func() { w.edge.handleFabric(ev) })
}

func vmName(v evpn.VMID) string {
	if v == vm(v[15]) {
		return fmt.Sprintf("vm%d", v[15])
	}
	return v.String()
}

func vm(n byte) evpn.VMID { return evpn.VMID{0: 0xaa, 15: n} }

func macName(m evpn.MAC) string {
	if m == mac(m[5]) {
		return fmt.Sprintf("m%d", m[5])
	}
	return m.String()
}

func mac(n byte) evpn.MAC { return evpn.MAC{0: 2, 5: n} }
