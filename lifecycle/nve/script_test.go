package nve

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/policy"
	"github.com/tns-project/tns/speaker"
)

// do carries out one line of a story, "VERB SUBJECT WORD… KEY=VALUE…":
//
//	up|down|eor PEER                    a session, of the TES plane or (frr, edges) of the fabric; as=EDGE, implied
//	session ADDRESS                     one more session of the TES plane
//	ask TES OP VM BINDING…              all routes of a request, BINDING = VN/MAC[/IP]; base=, seq=, flags=MKD, policy=ID, via=PEER, rd=TES, nexthop=,
//	                                    only=INDEX, count=, name (by VN Name), credential (one of zeros), tag=, vid= (a proposal); else base and seq are what a good TES has
//	                                    key=N: with credentials by that key, expiry=10m from now, for=vm:,tes:,vn:,mac:,ip:,policy:,VALUE,… not for what is
//	                                    asked; bare: without those that were there
//	again TES VM                        the same routes as they were
//	withdraw TES VM [BINDING]           via=PEER
//	garbage TES BINDING WHAT            a request that cannot be read, or is not for us
//	beacon TES [wrong]                  lease=, via=, counter=
//	unbeacon TES
//	remote EDGE BINDING                 seq=, sticky, tag=, encap=, label=, esi, rt=; via=PEER (frr)
//	unremote EDGE BINDING               via=
//	flood|unflood EDGE VN               via=, edge=ADDRESS (EDGE), quiet (that takes no sessions), originator=EDGE
//	refuse|allow MAC REASON             the authorizer
//	authorizer hold|answer
//	kernel hold|answer|fail MAC|heal MAC, MAC may be "policy" for all entries of that kind
//	kernel lose|regain BINDING          the kernel does not keep its entry any more; with "policy", its policy
//	pass DURATION
//	profile ID gone|allow PORT|deny PORT  the file says so when nved starts the next time
//	restart [forgetful|behind]          nved stops and starts again, without its file, or behind a guard that keeps the fabric routes of before
//	server NAME VM PORT BINDING…        the configuration has a server from the next restart or reload on; policy=ID
//	server NAME                         or has it no more
//	reload                              the edge takes the configuration's servers
//	listen                              from now on, what middleboxes are told is written down
//	echo TES VM CHANGE[:failed]         the TES answers to a changed tag, on the requests that stand; vn=
//	retag VN PORT VID                   an operator changes a VID, 0: to another
//	fix SEGMENT VN VID                  the next start has that VID in its configuration, 0: none
//	clear BINDING                       an operator ends a duplicate's block
//	drain|undrain VN                    an operator does
//	quotas WHAT=N…                      from the next start on (as the first line, from the beginning on): VN.vms, VN.vms_per_tes, VN.macs, TENANT.macs,
//	                                    PORT.bandwidth, PORT.vids, tes.vms, rules
//	reserved                            what is reserved of what
//	show                                every record, what the kernel should hold, the fabric routes
func (w *world) do(line string) {
	w.t.Helper()
	words, opts := []string{}, map[string]string{}
	for _, f := range strings.Fields(line) {
		if k, v, ok := strings.Cut(f, "="); ok {
			opts[k] = v
		} else {
			words = append(words, f)
		}
	}
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch words[0] {
	case "up", "down", "eor":
		as := words[1]
		if s := opts["as"]; s != "" {
			as = s
		}
		w.session(words[0], names[words[1]], names[as], slices.Contains(words, "implied"))
	case "session":
		names[words[1]] = addr(words[1])
		w.session("up", names[words[1]], netip.Addr{}, false)
	case "ask":
		w.ask(words[1], words[2], words[3], words[4:], opts)
	case "again":
		for _, r := range w.sets[words[1]+" "+words[2]].routes {
			w.hear(w.via(words[1], opts), r)
		}
	case "withdraw":
		w.withdraw(words[1], words[2], arg(3), opts)
	case "garbage":
		w.garbage(words[1], words[2], words[3], opts)
	case "beacon":
		w.beacon(words[1], arg(2) == "wrong", opts)
	case "unbeacon":
		p := w.via(words[1], opts)
		w.tesEvent(speaker.Event{Kind: speaker.Withdrawn, Peer: p, Epoch: w.peers[p].epoch, Key: w.beaconRoute(words[1]).RouteKey})
	case "remote":
		w.remote(words[1], words[2], slices.Contains(words, "sticky"), slices.Contains(words, "esi"), opts)
	case "unremote":
		key := w.remoteRoute(words[1], words[2]).RouteKey
		w.fabricSays(opts, speaker.Event{Kind: speaker.Withdrawn, Key: key})
	case "flood":
		r := w.floodRoute(words[1], words[2])
		if s := opts["edge"]; s != "" {
			r.Communities = append(r.Communities, evpn.Edge{Express: !slices.Contains(words, "quiet"), Session: evpn.SessionAddress(addr(s))}.Community())
		}
		if s := opts["originator"]; s != "" {
			r.OriginatorID = evpn.SessionAddress(names[s])
		}
		w.fabricSays(opts, speaker.Event{Kind: speaker.Announced, Route: r})
	case "unflood":
		w.fabricSays(opts, speaker.Event{Kind: speaker.Withdrawn, Key: w.floodRoute(words[1], words[2]).RouteKey})
	case "refuse":
		n, _ := strconv.Atoi(words[2])
		w.verdicts[macOf(words[1])] = evpn.Reason(n)
	case "allow":
		delete(w.verdicts, macOf(words[1]))
	case "authorizer":
		w.holdAnswers = words[1] == "hold"
		all := w.answers
		w.answers = nil
		for _, f := range all {
			f()
		}
		w.turn(func() {})
	case "kernel":
		w.kernel.held = words[1] == "hold"
		switch words[1] {
		case "fail":
			w.kernel.failing[words[2]] = true
		case "heal":
			delete(w.kernel.failing, words[2])
		case "retry":
			w.kernel.retry()
		case "lose", "regain":
			w.kernelTells(words[1] == "lose", words[2], arg(3) == "policy")
		}
		w.kernel.answer()
	case "pass":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			w.t.Fatal(err)
		}
		w.pass(d)
	case "profile":
		w.profile(words[1], words[2], arg(3))
	case "restart":
		if arg(1) == "forgetful" {
			w.disk = newDisk()
		}
		w.config.Standing = arg(1) == "behind"
		w.boot()
	case "server":
		w.configure(words[1], arg(2), arg(3), words[min(4, len(words)):], opts)
	case "reload":
		w.reload()
	case "echo":
		w.echo(words[1], words[2], words[3], opts)
	case "retag":
		n, _ := strconv.Atoi(words[3])
		w.retag(words[1], words[2], uint16(n))
	case "fix":
		w.fix(words[1], words[2], words[3])
	case "listen":
		w.tells = true
	case "clear":
		b := bindingOf(words[1])
		w.turn(func() {
			if st := w.edge.stations[StationKey{vnis[b.vn], b.mac}]; st != nil {
				w.edge.recover(st)
			}
		})
	case "drain", "undrain":
		w.turn(func() { w.edge.setDraining(w.edge.vns[vnis[words[1]]], words[0] == "drain") })
	case "quotas":
		w.lowered = true // perhaps
		setQuotas(&w.config, opts)
	case "reserved":
		for _, u := range w.edge.ledger.Usage() {
			if u.Limit == 0 {
				w.say("%s: %d", u.Account, u.Used)
			} else {
				w.say("%s: %d of %d", u.Account, u.Used, u.Limit)
			}
		}
	case "show":
		w.show()
	default:
		w.t.Fatalf("no such line: %s", line)
	}
}

// profile changes the file of policies: a profile goes, or has one rule now. It is read when nved starts.
func (w *world) profile(id, what, port string) {
	n, _ := strconv.Atoi(id)
	key := policy.ID{Type: uint32(n), Version: 1}
	w.config.Profiles = maps.Clone(w.config.Profiles)
	if what == "gone" {
		delete(w.config.Profiles, key)
		return
	}
	to, _ := strconv.Atoi(port)
	p := &policy.Profile{ID: key, Name: "changed"}
	p.FromVM.Rules = []policy.Rule{{Name: what + port, Action: map[string]policy.Action{"allow": policy.Allow, "deny": policy.Deny}[what], Match: tcp(uint16(to))}}
	w.config.Profiles[key] = p
}

// where is a binding as a story writes it.
type where struct {
	vn  string
	mac evpn.MAC
	ip  netip.Addr
}

func bindingOf(s string) where {
	parts := strings.SplitN(s, "/", 3)
	b := where{vn: parts[0], mac: macOf(parts[1])}
	if len(parts) > 2 {
		b.ip = addr(parts[2])
	}
	return b
}

func macOf(s string) evpn.MAC {
	if n, err := strconv.Atoi(strings.TrimPrefix(s, "m")); err == nil {
		return mac(byte(n))
	}
	var m evpn.MAC
	if err := m.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return m
}

func vmOf(s string) evpn.VMID {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "vm"))
	if err != nil {
		panic(err)
	}
	return vm(byte(n))
}

func (w *world) session(what string, p, as netip.Addr, implied bool) {
	s := w.peers[p]
	if s == nil {
		s = &sessions{}
		w.peers[p] = s
	}
	ev := speaker.Event{Peer: p, Text: "hold timer"}
	switch what {
	case "up":
		s.epoch++
		s.up = true
		ev.Kind = speaker.SessionUp
	case "down":
		s.up = false
		ev.Kind = speaker.SessionDown
	case "eor":
		ev.Kind = speaker.EndOfRIB
	}
	ev.Epoch, ev.Implied = s.epoch, implied
	if n := nameOf(p); n == "frr" || strings.HasPrefix(n, "edge") {
		ev.RouterID = evpn.SessionAddress(as)
		w.fabricEvent(ev)
		return
	}
	w.tesEvent(ev)
}

// via is the peer over which a TES speaks.
func (w *world) via(tes string, opts map[string]string) netip.Addr {
	if v := opts["via"]; v != "" {
		if a, ok := names[v]; ok {
			return a
		}
		return addr(v)
	}
	if tes == "tes3" {
		return names["srr"]
	}
	return names[tes]
}

// hear is a route of a TES that arrives.
func (w *world) hear(p netip.Addr, r evpn.Route) {
	s := w.peers[p]
	if s == nil || !s.up {
		w.t.Fatalf("%s has no session", p)
	}
	if p == names["srr"] || p == names["srr2"] {
		admin, _, _ := r.RD.Split()
		if r.OriginatorID == 0 {
			r.OriginatorID = admin
		}
	}
	w.tesEvent(speaker.Event{Kind: speaker.Announced, Peer: p, Epoch: s.epoch, Route: r})
}

func (w *world) ask(tes, op, vmid string, bindings []string, opts map[string]string) {
	w.t.Helper()
	name := tes + " " + vmid
	old := w.sets[name]
	if old == nil {
		old = &asked{}
	}
	o, err := evpn.ParseOp(op)
	if err != nil {
		w.t.Fatal(err)
	}
	key := VMKey{vmOf(vmid), evpn.RouterID(0)}
	key.TES, _ = evpn.RouterIDFromAddr(names[tes])
	q := evpn.Request{Op: o, Base: w.states[key], Sequence: old.sequence + 1, VM: key.VM}
	if b := opts["base"]; b != "" {
		if q.Base, err = evpn.ParseState(b); err != nil {
			w.t.Fatal(err)
		}
	}
	if s := opts["seq"]; s != "" {
		n, _ := strconv.ParseUint(s, 10, 32)
		q.Sequence = uint32(n)
	}
	for _, f := range opts["flags"] {
		q.Flags |= map[rune]evpn.Flags{'M': evpn.FlagImmigration, 'K': evpn.FlagKeepAlive, 'D': evpn.FlagDryRun}[f]
	}
	by := map[string]bool{}
	var where []string
	for _, b := range bindings {
		if strings.Contains(b, "/") {
			where = append(where, b)
		} else {
			by[b] = true
		}
	}
	if by["echo"] {
		q.Echo = &evpn.Echo{Change: 1}
	}
	if t := opts["tag"]; t != "" {
		n, _ := strconv.Atoi(t)
		q.Proposal = &evpn.LocalTag{Type: uint8(n)}
	}
	if v := opts["vid"]; v != "" {
		n, _ := strconv.Atoi(v)
		q.Proposal = &evpn.LocalTag{Type: evpn.TagDot1Q, VID: uint16(n)}
	}
	if len(where) == 0 && len(old.routes) > 0 { // the same bindings with the same parameters
		var routes []evpn.Route
		for _, r := range old.routes {
			was, _ := evpn.DecodeRequest(r.Communities)
			q.Index, q.Count, q.VNName, q.Policy = was.Index, was.Count, was.VNName, was.Policy
			q.Credential, q.Expiry = was.Credential, was.Expiry
			w.vouch(&q, key.TES, &r, by, opts)
			r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
			routes = append(routes, r)
		}
		w.send(tes, name, q.Sequence, routes, opts)
		return
	}
	var routes []evpn.Route
	for i, s := range where {
		s, policy, _ := strings.Cut(s, "!")
		b := bindingOf(s)
		q.Index, q.Count = uint8(i+1), uint8(len(where))
		if c := opts["count"]; c != "" {
			n, _ := strconv.Atoi(c)
			q.Count = uint8(n)
		}
		q.Policy, q.VNName = nil, nil
		if policy == "" {
			policy = opts["policy"]
		}
		if policy != "" {
			n, _ := strconv.Atoi(policy)
			q.Policy = &evpn.Policy{Type: uint32(n), Version: 1, Format: evpn.FormatUUID}
		}
		r := w.requestRoute(tes, b, q.Flags&evpn.FlagDryRun != 0)
		if by["name"] {
			h := evpn.HashVNName(b.vn)
			q.VNName, r.Label = &h, 0
		}
		if nh := opts["nexthop"]; nh != "" {
			r.NextHop = addr(nh)
		}
		q.Credential, q.Expiry = nil, nil
		w.vouch(&q, key.TES, &r, by, opts)
		r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
		r.LargeCommunities = []evpn.LargeCommunity{q.Mirror(64512)}
		routes = append(routes, r)
	}
	w.send(tes, name, q.Sequence, routes, opts)
}

// vouch puts a credential into a request that is to be asked for with the route.
func (w *world) vouch(q *evpn.Request, tes evpn.RouterID, r *evpn.Route, by map[string]bool, opts map[string]string) {
	switch {
	case by["bare"]:
		q.Credential, q.Expiry = nil, nil
	case by["credential"]:
		q.Credential = &evpn.Credential{KeyID: 7}
	}
	n, err := strconv.ParseUint(opts["key"], 10, 16)
	if err != nil {
		return
	}
	valid := 10 * time.Minute
	if s := opts["expiry"]; s != "" {
		if valid, err = time.ParseDuration(s); err != nil {
			w.t.Fatal(err)
		}
	}
	expiry := uint32(w.now.Add(valid).Unix())
	q.Expiry = &expiry
	what := q.Consent(tes, r)
	for change := range strings.SplitSeq(opts["for"], ",") {
		switch field, value, _ := strings.Cut(change, ":"); field {
		case "":
		case "vm":
			what.VM = vmOf(value)
		case "tes":
			what.TES = id(names[value].String())
		case "vn":
			what.VNI, what.VNName = vnis[value], evpn.VNName{}
		case "name":
			what.VNI, what.VNName = 0, evpn.HashVNName(value)
		case "mac":
			what.MAC = macOf(value)
		case "ip":
			what.IP, _ = netip.ParseAddr(value)
		case "policy":
			n, _ := strconv.Atoi(value)
			what.Policy = evpn.Policy{Type: uint32(n), Version: 1}
		case "expiry":
			what.Expiry++
		default:
			w.t.Fatalf("a credential has no %q", field)
		}
	}
	q.Credential = new(what.Credential(keyOf(uint16(n)), uint16(n)))
	for _, v := range w.config.VNs {
		h := evpn.HashVNName(v.Name)
		if _, known := v.Keys[uint16(n)]; known && valid > 0 && opts["for"] == "" && (r.Label == v.VNI || q.VNName != nil && *q.VNName == h) {
			w.vouched[vouched{VMKey{q.VM, tes}, BindingKey{v.VNI, h, r.MAC, r.IP}, credentialed(q.Policy)}] = true
		}
	}
}

func (w *world) send(tes, name string, seq uint32, routes []evpn.Route, opts map[string]string) {
	if !strings.Contains(opts["flags"], "D") {
		w.sets[name] = &asked{seq, routes}
	}
	for i, r := range routes {
		if only := opts["only"]; only != "" && only != strconv.Itoa(i+1) {
			continue
		}
		w.hear(w.via(tes, opts), r)
	}
}

// requestRoute is a request's route without its communities. The RD's number is one more than the VN's place.
func (w *world) requestRoute(tes string, b where, dry bool) evpn.Route {
	n := uint16(vnis[b.vn] % 1000 / 100)
	if dry {
		n = evpn.DryRunRD
	}
	tesID, _ := evpn.RouterIDFromAddr(names[tes])
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(tesID, n), MAC: b.mac, IP: b.ip},
		Label:    vnis[b.vn], NextHop: names[tes],
	}
}

func (w *world) withdraw(tes, vmid, only string, opts map[string]string) {
	set := w.sets[tes+" "+vmid]
	p := w.via(tes, opts)
	for _, r := range slices.Clone(set.routes) {
		if only != "" {
			b := bindingOf(only)
			if r.MAC != b.mac || r.IP != b.ip || r.Label != vnis[b.vn] {
				continue
			}
			set.routes = slices.DeleteFunc(set.routes, func(s evpn.Route) bool { return s.RouteKey == r.RouteKey })
		}
		w.tesEvent(speaker.Event{Kind: speaker.Withdrawn, Peer: p, Epoch: w.peers[p].epoch, Key: r.RouteKey})
	}
}

// garbage is an ASSOCIATE of vm9 with one thing wrong.
func (w *world) garbage(tes, binding, what string, opts map[string]string) {
	q := evpn.Request{Op: evpn.Associate, Sequence: 1, VM: vm(9), Index: 1, Count: 1}
	r := w.requestRoute(tes, bindingOf(binding), false)
	target := evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))
	cs := q.Communities()
	op := func(octet int, v byte) { cs[0][octet] = v }
	switch what {
	case "without-op":
		cs = cs[1:]
	case "without-vmid-a", "without-vmid-b", "without-vmid-c":
		i := 1 + int(what[len(what)-1]-'a')
		cs = slices.Delete(cs, i, i+1)
	case "bare":
		cs = nil
	case "version-2":
		op(2, 0x22)
	case "op-0":
		op(2, 0x10)
	case "op-7":
		op(2, 0x17)
	case "base-6":
		op(3, 0x60)
	case "two-ops":
		two := cs[0]
		two[7]++
		cs = append(cs, two)
	case "two-vmids":
		two := cs[1]
		two[7]++
		cs = append(cs, two)
	case "count-0":
		cs[3][7] = 0
	case "index-0":
		cs[3][6] = 0
	case "index-2-of-1":
		cs[3][6] = 2
	case "unknown-critical":
		cs = append(cs, evpn.ExtendedCommunity{evpn.SignallingType, 0xf0})
	case "unknown":
		cs = append(cs, evpn.ExtendedCommunity{evpn.SignallingType, 0x70})
	case "unnamed":
		r.Label = 0
	case "esi":
		r.ESI[3] = 1
	case "tag":
		r.Tag = 7
	case "other-nve":
		target = evpn.ExtendedCommunity(evpn.RequestTarget(id("192.0.2.77")))
	case "two-targets":
		cs = append(cs, evpn.ExtendedCommunity(evpn.RequestTarget(id("192.0.2.77"))))
	case "dry-rd":
		r.RD = evpn.NewRD(id(names[tes].String()), evpn.DryRunRD)
	case "dry-without-rd":
		op(3, 0x02)
	default:
		w.t.Fatalf("no such garbage: %s", what)
	}
	r.Communities = append(cs, target)
	w.sets[tes+" vm9"] = &asked{1, []evpn.Route{r}}
	w.hear(w.via(tes, opts), r)
}

func (w *world) beaconRoute(tes string) evpn.Route {
	tesID, _ := evpn.RouterIDFromAddr(names[tes])
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(tesID, evpn.BeaconRD), Tag: evpn.EthernetTag(w.config.ID), IP: names[tes]},
		NextHop:  names[tes], PMSI: &evpn.PMSITunnel{},
	}
}

// beacon is a TES's beacon, with the digest of what it asked for.
func (w *world) beacon(tes string, wrong bool, opts map[string]string) {
	var items []evpn.DigestItem
	for name, s := range w.sets {
		if !strings.HasPrefix(name, tes+" ") {
			continue
		}
		for _, r := range s.routes {
			q, _ := evpn.DecodeRequest(r.Communities)
			if r.Label != vnis["green"] {
				items = append(items, evpn.DigestItem{VNI: r.Label, Key: r.RouteKey, Sequence: q.Sequence})
			}
		}
	}
	b := evpn.Beacon{Lease: evpn.Lease{Lifetime: 90, Counter: uint32(w.now.Sub(start) / time.Second)}, Digest: evpn.DigestOf(items)}
	if s := opts["counter"]; s != "" {
		n, _ := strconv.Atoi(s)
		b.Lease.Counter = uint32(n)
	}
	if s := opts["lease"]; s != "" {
		n, _ := strconv.Atoi(s)
		b.Lease.Lifetime = uint16(n)
	}
	if wrong {
		b.Digest.CRC++
	}
	r := w.beaconRoute(tes)
	r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, b.Communities()...)
	w.hear(w.via(tes, opts), r)
}

func (w *world) remoteRoute(edge, binding string) evpn.Route {
	b := bindingOf(binding)
	edgeID, _ := evpn.RouterIDFromAddr(names[edge])
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(edgeID, uint16(vnis[b.vn]%60000)), MAC: b.mac, IP: b.ip},
		Label:    vnis[b.vn], NextHop: names[edge],
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.AutoRouteTarget(64999, vnis[b.vn])), evpn.EncapsulationVXLAN},
	}
}

func (w *world) remote(edge, binding string, sticky, esi bool, opts map[string]string) {
	r := w.remoteRoute(edge, binding)
	seq, _ := strconv.ParseUint(opts["seq"], 10, 32)
	if seq > 0 || sticky {
		r.Communities = append(r.Communities, evpn.MACMobility{Sticky: sticky, Sequence: uint32(seq)}.Community())
	}
	if n, err := strconv.Atoi(opts["encap"]); err == nil {
		r.Communities[1] = evpn.ExtendedCommunity{0x03, 0x0c, 7: byte(n)}
	}
	if n, err := strconv.Atoi(opts["label"]); err == nil {
		r.Label = evpn.VNI(n)
	}
	if n, err := strconv.Atoi(opts["tag"]); err == nil {
		r.Tag = evpn.EthernetTag(n)
	}
	if esi {
		r.ESI[1] = 1
	}
	if s := opts["rt"]; s != "" {
		rt, err := evpn.ParseRouteTarget(s)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Communities[0] = evpn.ExtendedCommunity(rt)
	}
	if s := opts["nexthop"]; s != "" {
		r.NextHop = addr(s)
	}
	w.fabricSays(opts, speaker.Event{Kind: speaker.Announced, Route: r})
}

// fabricSays is something that a fabric peer says, the reflector if no other is named.
func (w *world) fabricSays(opts map[string]string, ev speaker.Event) {
	ev.Peer = names["frr"]
	if s := opts["via"]; s != "" {
		ev.Peer = names[s]
	}
	ev.Epoch = w.peers[ev.Peer].epoch
	w.fabricEvent(ev)
}

func (w *world) floodRoute(edge, vn string) evpn.Route {
	edgeID, _ := evpn.RouterIDFromAddr(names[edge])
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(edgeID, uint16(vnis[vn]%60000)), IP: names[edge]},
		NextHop:  names[edge], PMSI: &evpn.PMSITunnel{Type: evpn.IngressReplication, Label: vnis[vn], ID: names[edge]},
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.AutoRouteTarget(64999, vnis[vn])), evpn.EncapsulationVXLAN},
	}
}

// kernelTells is news of an entry that the kernel had answered for before.
func (w *world) kernelTells(lost bool, binding string, policy bool) {
	b := bindingOf(binding)
	st := w.edge.stations[StationKey{vnis[b.vn], b.mac}]
	if lost {
		w.kernel.failing[macName(b.mac)] = true
	} else {
		delete(w.kernel.failing, macName(b.mac))
	}
	if policy {
		w.kernel.put(st.policyKey(), false)
		return
	}
	w.kernel.put(st.fdbKey(), false)
}

// show says what there is.
func (w *world) show() {
	e := w.edge
	for _, k := range keysOf(e.records, compareVMKeys) {
		r := e.records[k]
		s := fmt.Sprintf("%s at %s: %s", vmName(k.VM), nameOf(k.TES.Addr()), r.State)
		if r.Orphaned {
			s += ", orphaned"
		}
		if r.Outranked {
			s += ", outranked"
		}
		if d := e.lifetimeOf(r); d > 0 {
			s += fmt.Sprintf(", %s left", e.freshest(r).Add(d).Sub(w.now))
		}
		if r.State != lifecycle.Null || len(r.offers) > 0 {
			w.say("%s", s)
		}
	}
	var lines []string
	for _, entry := range w.kernel.asked {
		lines = append(lines, "has "+entryText(entry))
	}
	for r := range maps.Values(w.fabric.routes) {
		lines = append(lines, "advertises "+fabricText(r))
	}
	slices.Sort(lines)
	w.lines = append(w.lines, lines...)
}
