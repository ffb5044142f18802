package nve

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/policy"
	"github.com/tns-project/tns/lifecycle/quota"
)

// accepted holds what is held against what the VM manager has vouched for, and the journal against both.
func (w *world) accepted(fail func(string, ...any)) {
	w.t.Helper()
	e := w.edge
	for _, r := range e.records {
		held := map[BindingKey]evpn.Policy{}
		for _, b := range r.bindings {
			k := BindingKey{b.vn.VNI, b.vn.hash, b.key.MAC, b.key.IP}
			held[k] = credentialed(b.policy)
			if !b.vn.Credentialed || e.ours(r) {
				continue
			}
			if !w.vouched[vouched{r.key, k, held[k]}] {
				fail("%v: %v with policy %v is held, and was never vouched for", r.key, k, held[k])
			}
			if a, ok := e.memory.Acceptances[r.key][k]; !ok || a.Policy != held[k] {
				fail("%v: %v with policy %v is held, and the journal has %v, %+v", r.key, k, held[k], ok, a)
			}
		}
		for k, a := range e.memory.Acceptances[r.key] {
			if policy, ok := held[k]; (!ok || policy != a.Policy) && r.State != lifecycle.Null { // without a record it is from before a restart
				fail("%v: %s, and the journal has %v with policy %v", r.key, r.State, k, a.Policy)
			}
		}
	}
	if !maps.EqualFunc(e.memory.Acceptances, w.disk.m.Acceptances, func(a, b map[BindingKey]Acceptance) bool { return maps.Equal(a, b) }) {
		fail("the journal is %v, on disk %v", e.memory.Acceptances, w.disk.m.Acceptances)
	}
}

// reserved holds the ledger against what the records hold, to the last unit, and against its limits.
func (w *world) reserved(fail func(string, ...any)) {
	w.t.Helper()
	e := w.edge
	want := quota.New[VMKey](e.limit)
	held := 0
	for k, h := range e.memory.Holdings {
		r := e.records[k]
		if r != nil && r.State != lifecycle.Null && len(r.bindings) == 0 {
			fail("%v: %s, and it is journalled that it holds %v", k, r.State, h)
		}
		if r == nil || len(r.bindings) == 0 { // from before a restart, and has not come back
			want.Keep(k, e.claims(k, h))
		}
		held += len(h)
	}
	for k, r := range e.records {
		if len(r.bindings) > 0 {
			want.Keep(k, e.claims(k, holdingOf(r.bindings)))
			if !slices.Equal(e.memory.Holdings[k], holdingOf(r.bindings)) {
				fail("%v: the journal has %v, it holds %v", k, e.memory.Holdings[k], holdingOf(r.bindings))
			}
		}
	}
	if got, want := e.ledger.Usage(), want.Usage(); !slices.Equal(got, want) {
		fail("reserved are %v, the records hold %v", got, want)
	}
	for _, u := range e.ledger.Usage() {
		if u.Limit > 0 && u.Used > u.Limit && !w.lowered {
			fail("%s: %d are reserved, the limit is %d", u.Account, u.Used, u.Limit)
		}
	}
	if !maps.EqualFunc(e.memory.Holdings, w.disk.m.Holdings, func(a, b Holding) bool { return slices.Equal(a, b) }) {
		fail("the journal of what is held is %v, on disk %v", e.memory.Holdings, w.disk.m.Holdings)
	}
}

// policies holds the policies that the kernel is asked for against what is held, and whether frames meet them.
func (w *world) policies(fail func(string, ...any)) {
	w.t.Helper()
	e, n := w.edge, 0
	for key, st := range e.stations {
		owner := st.holder
		for _, r := range st.records {
			if owner == nil || st.holder == nil && compareVMKeys(r.key, owner.key) < 0 {
				owner = r
			}
		}
		got, there := w.kernel.asked[st.policyKey()]
		if there {
			n++
		}
		if owner == nil {
			if there {
				fail("station %v: %v is left over", key, got)
			}
			continue
		}
		var asked *evpn.Policy
		var ips []netip.Addr
		for _, b := range owner.bindings {
			if b.station() == key {
				if asked = b.policy; b.key.IP.IsValid() {
					ips = append(ips, b.key.IP)
				}
			}
		}
		id := st.vn.DefaultPolicy
		if asked != nil {
			id = policy.ID{Type: asked.Type, Version: asked.Version}
		}
		profile := e.config.Profiles[id]
		want := len(ips) > 0 || profile != nil || st.vn.Name == "mauve"
		waits := w.config.Restarted && !e.completed && st.holder == nil // what the kernel has from before is left alone
		switch {
		case there != want && !waits:
			fail("station %v of %v: the kernel is asked for a policy: %v, want %v", key, owner.key, there, want)
		case !there || waits:
		case got.InForce != (st.holder != nil), got.LocalPort != st.vn.portOf(owner.key.TES, key.MAC):
			fail("station %v, held by %v: %v", key, st.holder, got)
		case len(got.Policy.Sources) != len(ips):
			fail("station %v: sources %v, want %v", key, got.Policy.Sources, ips)
		case profile != nil && len(got.Policy.From.Rules) < len(profile.FromVM.Rules):
			fail("station %v: %v is not all of %v", key, got.Policy.From.Rules, profile)
		}
		if local := w.kernel.entries[st.fdbKey()].LocalPort; local != "" && local == w.kernel.asked[st.fdbKey()].LocalPort && want && !waits && !w.kernel.failing["policy"] {
			if has := w.kernel.entries[st.policyKey()]; !has.InForce || has.LocalPort != local {
				fail("station %v is forwarded on %s while the kernel has %v, asked for %v", key, local, has, got)
			}
		}
	}
	for k := range w.kernel.asked {
		if k.Kind == dataplane.Policy {
			n--
		}
	}
	if n != 0 {
		fail("the kernel is asked for policies of no station")
	}
}

// invariants holds what the edge has asked for against its states. It needs no input to have been left over: nothing runs.
func (w *world) invariants(after string) {
	w.t.Helper()
	e := w.edge
	if e.running > 0 || len(w.kernel.pending) > 0 {
		return
	}
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Errorf("after %q: "+format, append([]any{after}, args...)...)
	}
	w.accepted(fail)
	w.tagged(fail)
	w.reserved(fail)
	for _, r := range e.records {
		if r.reason == evpn.Draining && !e.drained(r) {
			fail("%v: %s is said to drain, and does not", r.key, r.State)
		}
	}
	if !maps.Equal(e.memory.Draining, w.disk.m.Draining) {
		fail("%v drain, on disk %v", e.memory.Draining, w.disk.m.Draining)
	}
	members := map[*vn]int{}
	for _, r := range e.records {
		in := map[*vn]bool{}
		for _, b := range r.bindings {
			in[b.vn] = true
			if held := e.bound.get(b.key); held == nil || held.record != r {
				fail("%v: binding %s is bound to another", r.key, b.key)
			}
			if st := b.vn.stations[b.key.MAC]; st == nil {
				fail("%v: binding %s has no station", r.key, b.key)
			} else if !slices.Contains(st.records, r) {
				fail("%v: station %v does not know it", r.key, st.key)
			}
		}
		for v := range in {
			members[v]++
			if _, ok := v.members[r]; !ok {
				fail("%v: not a member of %s", r.key, v.Name)
			}
		}
		if r.State.Holds().Has(lifecycle.Reserved) != (len(r.bindings) > 0) {
			fail("%v: %s with %d bindings", r.key, r.State, len(r.bindings))
		}
		if r.procedure != nil || len(r.pending) > 0 || r.again {
			fail("%v: something is left over", r.key)
		}
		if !r.alive() && len(r.kept) > 0 {
			fail("%v: %s keeps responses", r.key, r.State)
		}
		if r.alive() && len(r.offers) == 0 && !r.Orphaned {
			fail("%v: nobody asks for it and it is not orphaned", r.key)
		}
		if r.State == lifecycle.Null && len(r.offers) == 0 {
			fail("%v: an empty record stays", r.key)
		}
	}
	w.policies(fail)
	routes, entries, ports := 0, 0, map[dataplane.Key]bool{}
	for key, st := range e.stations {
		var active []*record
		for _, r := range st.records {
			if e.records[r.key] != r {
				fail("station %v knows a record that is no more", key)
			}
			if r.State == lifecycle.Associated {
				active = append(active, r)
			}
		}
		if len(active) > 1 {
			fail("station %v: %d records are active", key, len(active))
		}
		if st.standing && (e.completed || len(st.advertised) > 0) {
			fail("station %v: what stood from before the restart still counts", key)
		}
		if st.claimant != nil {
			fail("station %v: a claim is left over", key)
		}
		if st.holder != nil && (len(active) == 0 || st.holder != active[0]) || st.holder == nil && len(active) > 0 {
			fail("station %v: holder %v, active %v", key, st.holder, active)
		}
		want := dataplane.Entry{Key: st.fdbKey()}
		switch {
		case st.holder != nil:
			if want.LocalPort = st.local(); want.LocalPort == "" && (!st.policy.inForce || st.policed) {
				fail("station %v is active and not forwarded", key)
			}
			if want.LocalPort == "" {
				want = dataplane.Entry{}
				break
			}
			ports[dataplane.Key{Kind: dataplane.Port, VNI: dataplane.VNI(key.VNI), Port: want.LocalPort}] = true
			if len(st.advertised) == 0 {
				fail("station %v is active and not advertised", key)
			}
		case st.best != nil && len(st.vn.members) > 0 && !st.duplicate && (len(st.advertised) == 0 && !st.standing || st.best.wins):
			want.VTEP = st.best.VTEP
		default:
			want = dataplane.Entry{}
		}
		if got := w.kernel.asked[st.fdbKey()]; got != want {
			fail("station %v: the kernel is asked for %v, want %v", key, got, want)
		}
		if want != (dataplane.Entry{}) {
			entries++
		}
		if st.owner != nil && (len(st.advertised) == 0 || st.owner.State != lifecycle.Associated && st.owner.State != lifecycle.EmigratingAssociated) {
			fail("station %v: owned by %s, advertised %d", key, st.owner.State, len(st.advertised))
		}
		if st.owner == nil && len(st.advertised) > 0 {
			fail("station %v is advertised by nobody", key)
		}
		if st.owner != nil && st.owner.State == lifecycle.EmigratingAssociated && st.outranked() {
			fail("station %v: the Emigrating one is advertised although a newer route stands", key)
		}
		routes += len(st.advertised)
		for _, ip := range st.advertised {
			if _, ok := w.fabric.routes[e.macRoute(st, ip).RouteKey]; !ok {
				fail("station %v: route of %v is not announced", key, ip)
			}
		}
	}
	for _, v := range e.vns {
		if len(v.members) != members[v] {
			fail("VN %s has %d members, want %d", v.Name, len(v.members), members[v])
		}
		if members[v] > 0 {
			routes++
		}
		for vtep, f := range v.floods {
			key := dataplane.Key{Kind: dataplane.Flood, VNI: dataplane.VNI(v.VNI), IP: vtep}
			if _, ok := w.kernel.asked[key]; ok != (members[v] > 0 && e.floods(f)) {
				fail("VN %s: %s on the flood list: %v", v.Name, vtep, ok)
			}
		}
	}
	if routes != len(w.fabric.routes) {
		fail("%d fabric routes stand, want %d", len(w.fabric.routes), routes)
	}
	for k, entry := range w.kernel.asked {
		switch k.Kind {
		case dataplane.Unicast:
			entries--
		case dataplane.Port:
			if entry.Open != ports[k] {
				fail("%s: open is %v", k, entry.Open)
			}
		}
	}
	if entries != 0 {
		fail("the kernel is asked for entries of no station")
	}
	for ip, p := range e.ips {
		if p.claimant != nil || p.holder == nil || p.holder.State != lifecycle.Associated {
			fail("IP %v: %+v", ip, p)
		}
	}
	if len(e.waiting) > 0 {
		fail("%d entries are waited for by nobody", len(e.waiting))
	}
	for k, all := range e.answers {
		r, ok := w.tes.routes[k]
		if k.Tag == evpn.EthernetTag(e.config.ID) {
			if ok {
				fail("response %s, to the edge itself, stands", k)
			}
			continue
		}
		if !ok || len(all) == 0 {
			fail("response %s does not stand", k)
			continue
		}
		if told := e.answerKey(all[len(all)-1]); told != r.RouteKey {
			fail("response %s is another", k)
		}
	}
	n := 0
	for k := range w.tes.routes {
		if k.Type == evpn.MACIPAdvertisement {
			n++
			if _, ok := e.answers[k]; !ok {
				fail("response %s answers nobody", k)
			}
		}
	}
	offers := 0
	for _, r := range e.records {
		offers += len(r.offers)
	}
	for o := range e.requests.all() {
		if o.content == "" || o.dryRun() {
			offers++
		}
	}
	if offers != e.requests.len() {
		fail("%d requests stand, the records have %d", e.requests.len(), offers)
	}
}
