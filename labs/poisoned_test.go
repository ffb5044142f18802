package labs_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/bgp"
	"github.com/tns-project/tns/labs/internal/probe"
)

const tes3 = "198.51.100.13" // the poisoned hypervisor

// VNs of the lab, and the number of the key for both.
const (
	blueVNI = 10100
	redVNI  = 10200
	keyID   = 7
)

// Reasons of SPEC §2.
const (
	invalidFormat       = 1
	invalidVNMACOrTag   = 5
	failedAuthorization = 6
	unknownVN           = 11
	staleSequence       = 12
	badCredential       = 13
	duplicate           = 14
	incompleteSet       = 18
)

// TestPoisonedHypervisor has a TES try all that a hypervisor could that has fallen: to get at other VNs, MACs, addresses and VMs with credentials that are not
// for it, with what it may have seen on other wires, and with what it can make up. Nothing is accepted that the VM manager has not vouched for, each refusal
// has its reason, and the frames of the VMs beside it go on, one a millisecond both ways.
func TestPoisonedHypervisor(t *testing.T) {
	l := deploy(t, "poisoned/topology.clab.yml")
	l.established("edge1", 2)
	victim, friend := newVM(1), newVM(2)
	victims := l.mint("tes1", tes1, victim, "--valid", "5s")
	l.mint("tes2", tes2, friend)
	l.does("tes1", "associate", victim.id, "--nic", victim.nic, "--credentials", credentialFile)
	l.does("tes2", "associate", friend.id, "--nic", friend.nic, "--credentials", credentialFile)
	talks := []*talk{l.talk("tes1", victim, "tes2", friend), l.talk("tes2", friend, "tes1", victim)}
	for _, f := range talks {
		f.arrive(100)
	}

	p := l.poison()
	own := newVM(3)
	good := p.ask(own)
	expiry := uint32(time.Now().Add(time.Hour).Unix())
	past := uint32(time.Now().Add(-time.Second).Unix())
	of := func(v vm) bgp.Ask { return p.ask(v) }
	changed := func(a bgp.Ask, change func(*bgp.Ask)) bgp.Ask {
		change(&a)
		return a
	}
	stolen := func(c credential) bgp.Request { // the victim's request as it is on the wire, but for who sends it
		a := of(victim)
		a.Flags = bgp.FlagImmigration
		return a.Request().Vouched(c.tag(t), c.KeyID, c.Expiry)
	}
	t.Run("what is refused", func(t *testing.T) {
		p := p.in(t)
		for _, c := range []struct {
			name string
			ask  bgp.Request
			want byte
		}{
			{"no credential", good.Request(), badCredential},
			{"a foreign VN", changed(good, func(a *bgp.Ask) { a.VNI = redVNI }).Request(), failedAuthorization},
			{"a foreign VN, with a credential", changed(good, func(a *bgp.Ask) { a.VNI = redVNI }).With(p.key, keyID, expiry), failedAuthorization},
			{"a VN that is not there", changed(good, func(a *bgp.Ask) { a.VNI = 4711 }).With(p.key, keyID, expiry), unknownVN},
			{"a foreign MAC", changed(good, func(a *bgp.Ask) { a.MAC = victim.mac }).Request(), badCredential},
			{"a foreign MAC with one's own credential", changed(good, func(a *bgp.Ask) { a.MAC = victim.mac }).Request().Vouched(good.Tag(p.key, keyID, expiry), keyID, expiry), badCredential},
			{"a foreign MAC that the manager has vouched for by mistake", changed(good, func(a *bgp.Ask) { a.MAC = victim.mac }).With(p.key, keyID, expiry), duplicate},
			{"a foreign MAC and address", changed(good, func(a *bgp.Ask) { a.MAC, a.IP = victim.mac, netip.MustParseAddr("10.1.0.1") }).Request(), badCredential},
			{"another VM", changed(of(victim), func(a *bgp.Ask) { a.Flags = bgp.FlagImmigration }).Request(), badCredential},
			{"another VM's credential", good.Request().Vouched(of(victim).Tag(p.key, keyID, expiry), keyID, expiry), badCredential},
			{"another TES's credential", stolen(victims[0]), badCredential},
			{"an expired credential", good.With(p.key, keyID, past), badCredential},
			{"an expired credential, its expiry moved", good.Request().Vouched(good.Tag(p.key, keyID, past), keyID, expiry), badCredential},
			{"a credential by another key", good.With(make([]byte, 32), keyID, expiry), badCredential},
			{"a credential by a key that the VN has not", good.With(p.key, keyID+1, expiry), badCredential},
			{"another VN Name", changed(good, func(a *bgp.Ask) { a.Name = "red" }).Request().Vouched(good.Tag(p.key, keyID, expiry), keyID, expiry), failedAuthorization},
			{"another VN Name than that of the credential", changed(good, func(a *bgp.Ask) { a.Name = "blue" }).Request().
				Vouched(changed(good, func(a *bgp.Ask) { a.Name = "red" }).Tag(p.key, keyID, expiry), keyID, expiry), badCredential},
			{"another TES's identity", identity(of(victim).With(p.key, keyID, expiry), tes1), failedAuthorization},
			{"another TES's next hop", nextHop(good.With(p.key, keyID, expiry), tes1), failedAuthorization},
		} {
			if got := p.answer(c.ask); got.Status == 0 || got.Reason != c.want {
				t.Errorf("%s: %+v, want reason %d", c.name, got, c.want)
			}
		}
	})
	t.Run("one bit flipped", func(t *testing.T) { p.in(t).flips(good, expiry) })
	t.Run("what was seen before", func(t *testing.T) { p.in(t).replays(own) })
	t.Run("anything", func(t *testing.T) { p.in(t).mutates(victims, expiry, past) })

	if err := p.session.Failed(); err != nil {
		t.Errorf("the session has ended: %v", err)
	}
	for _, f := range talks {
		if r := f.stop(); r.Lost+r.Duplicated > 0 {
			t.Errorf("frames from %s to %s: %s", f.from, f.to, r)
		}
	}
	l.stands("edge1", victim.id, tes1, "associated", "")
	l.stands("edge1", friend.id, tes2, "associated", "")
	l.hasNothingElse(map[string][]string{"tes1-blue": {victim.mac.String()}, "tes2-blue": {friend.mac.String()}, "poisoned-red": nil})
	for _, line := range strings.Split(l.run("edge1", "curl", "-sf", "http://127.0.0.1:9479/metrics"), "\n") {
		if strings.HasPrefix(line, "tns_nve_authorization_failures_total") {
			t.Log(line)
			if !strings.Contains(line, tes3) {
				t.Errorf("%q: others than the poisoned hypervisor were refused", line)
			}
		}
	}

	t.Run("an edge that starts again honours what it accepted", func(t *testing.T) {
		l := l.in(t)
		l.soon("the end of the victim's credentials", func() error {
			if left := time.Until(time.Unix(int64(victims[0].Expiry), 0)); left > 0 {
				return fmt.Errorf("they have %s", left)
			}
			return nil
		})
		engine, err := l.Process("edge1", "engine")
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Kill(); err != nil {
			t.Fatal(err)
		}
		l.stands("edge1", victim.id, tes1, "associated", "")
		l.does("tes1", "keep-alive", victim.id)
		l.does("tes1", "suspend", victim.id)
		l.does("tes1", "resume", victim.id)
	})
	t.Run("a move needs the target's credential", func(t *testing.T) {
		l := l.in(t)
		move := []string{immigration, "--nic", victim.nic, "--credentials", credentialFile}
		l.does("tes1", "emigrate", victim.id)
		l.mint("tes2", tes1, victim)
		if r := l.try("tes2", "associate", victim.id, move...); r.ReasonCode != badCredential {
			t.Errorf("with the source's credential: %+v, want reason %d", r, badCredential)
		}
		l.mint("tes2", tes2, victim)
		l.does("tes2", "associate", victim.id, move...)
		l.does("tes1", "terminate", victim.id)
		l.stands("edge1", victim.id, tes2, "associated", "")
	})
}

// credential is one as tnsctl prints it.
type credential struct {
	MAC, IP, Tag string
	KeyID        uint16 `json:"key_id"`
	Expiry       uint32
}

func (c credential) tag(t *testing.T) [16]byte {
	t.Helper()
	b, err := hex.DecodeString(c.Tag)
	if err != nil || len(b) != 16 {
		t.Fatalf("tag %q: %v", c.Tag, err)
	}
	return [16]byte(b)
}

// credentialFile is where a node has the credentials that it got last.
const credentialFile = "/run/tns/credentials"

// mint has the manager mint credentials for a VM at a TES, and puts them on a node.
func (l lab) mint(node, tes string, v vm, more ...string) []credential {
	l.t.Helper()
	nic := strings.Replace(v.nic, "blue", fmt.Sprint(blueVNI), 1)
	command := []string{"tnsctl", "credential", "mint", "--vm", v.id, "--tes", tes, "--nic", nic, "--key", "/etc/tns/blue.key", "--key-id", fmt.Sprint(keyID)}
	text := l.run("manager", append(command, more...)...)
	if err := os.WriteFile(l.Path(node, credentialFile), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	var file struct{ Credentials []credential }
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		l.t.Fatal(err)
	}
	return file.Credentials
}

// hasNothingElse checks which MACs the edge's kernel has on its ports.
func (l lab) hasNothingElse(want map[string][]string) {
	l.t.Helper()
	for port, macs := range want {
		var have []string
		for line := range strings.Lines(l.run("edge1", "bridge", "fdb", "show", "dev", port)) {
			if strings.Contains(line, "extern_learn") {
				have = append(have, strings.Fields(line)[0])
			}
		}
		slices.Sort(have)
		if !slices.Equal(slices.Compact(have), macs) {
			l.t.Errorf("port %s has %v, want %v", port, have, macs)
		}
	}
}

// talk is a stream of probes between two VMs.
type talk struct {
	l        lab
	from, to string
	sender   *probe.Sender
	tap      *probe.Tap
}

// talk starts probes from a VM to another, at their TESs' links into blue.
func (l lab) talk(from string, source vm, to string, destination vm) *talk {
	l.t.Helper()
	f := probe.Flow{ID: uint64(source.mac[5])<<8 | uint64(destination.mac[5]), Source: source.mac, Destination: destination.mac}
	tap, err := probe.Listen(l.Namespace(to), "blue", f)
	if err != nil {
		l.t.Fatal(err)
	}
	sender, err := probe.Send(l.Namespace(from), "blue", f)
	if err != nil {
		l.t.Fatal(err)
	}
	return &talk{l, from, to, sender, tap}
}

// arrive waits for so many frames.
func (f *talk) arrive(count int) {
	f.l.t.Helper()
	f.l.soon("probes at "+f.to, func() error {
		if n := len(f.tap.Arrivals()); n < count {
			return fmt.Errorf("%d of %d came", n, count)
		}
		return nil
	})
}

// stop ends the flow, when all that was sent had time to come, and judges it.
func (f *talk) stop() probe.Report {
	f.l.t.Helper()
	sent, err := f.sender.Stop()
	if err != nil {
		f.l.t.Error(err)
	}
	f.arrive(len(sent))
	if err := f.tap.Stop(); err != nil {
		f.l.t.Errorf("tap at %s: %v", f.to, err)
	}
	return probe.Judge(sent, f.tap.Arrivals())
}

// poisoned is the hypervisor that has fallen: a session with the edge, and what the edge answers.
type poisoned struct {
	l       lab
	t       *testing.T
	session *bgp.Session
	key     []byte // the manager's, to see that what is refused would not be if it were vouched for
	next    *uint32

	*heard
}

// heard is the newest response of each NLRI, and how often each reason was given.
type heard struct {
	mu      sync.Mutex
	newest  map[string]bgp.Response
	reasons map[byte]int
	changed chan struct{} // closed and replaced with each response
}

// poison brings the session of the poisoned hypervisor up.
func (l lab) poison() *poisoned {
	l.t.Helper()
	p := &poisoned{l: l, t: l.t, key: slices.Repeat([]byte{0x5e}, 32), next: new(uint32), heard: &heard{newest: map[string]bgp.Response{}, reasons: map[byte]int{}, changed: make(chan struct{})}}
	self := netip.MustParseAddr(tes3)
	var err error
	p.session, err = bgp.Dial(l.ctx, l.Namespace("poisoned"), 65000, self, netip.MustParseAddr(edge1), func(update []byte) {
		for _, r := range bgp.Responses(update, self) {
			p.take(r)
		}
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { p.session.Close() })
	return p
}

// in is the hypervisor for a subtest.
func (p *poisoned) in(t *testing.T) *poisoned {
	q := *p
	q.t, q.l = t, p.l.in(t)
	return &q
}

func (h *heard) take(r bgp.Response) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest[r.MAC+" "+r.IP.String()] = r
	h.reasons[r.Reason]++
	close(h.changed)
	h.changed = make(chan struct{})
}

// ask is a well-made ASSOCIATE of a VM, its MAC alone.
func (p *poisoned) ask(v vm) bgp.Ask {
	a := bgp.Ask{TES: netip.MustParseAddr(tes3), NVE: netip.MustParseAddr(edge1), Op: bgp.Associate, VNI: blueVNI, MAC: v.mac, Sequence: p.sequence()}
	id, err := hex.DecodeString(strings.ReplaceAll(v.id, "-", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	a.VM = [16]byte(id)
	return a
}

// sequence is one more than the one before.
func (p *poisoned) sequence() uint32 {
	*p.next++
	return *p.next
}

// send announces a request.
func (p *poisoned) send(r bgp.Request) {
	p.t.Helper()
	if err := p.session.Ask(r); err != nil {
		p.t.Fatal(err)
	}
}

// answer announces a request with a sequence of its own, waits for the answer, and takes the request back.
func (p *poisoned) answer(r bgp.Request) bgp.Response {
	p.t.Helper()
	sequence := p.sequence()
	r = renumbered(r, sequence)
	p.send(r)
	got := p.await(r, func(a bgp.Response) bool { return a.Sequence == sequence })
	if err := p.session.Unask(r); err != nil {
		p.t.Fatal(err)
	}
	return got
}

// await waits for the response to a request.
func (p *poisoned) await(r bgp.Request, is func(bgp.Response) bool) bgp.Response {
	p.t.Helper()
	key := r.MAC.String() + " " + r.IP.String()
	for timeout := time.After(patience); ; {
		p.mu.Lock()
		got, ok := p.newest[key]
		changed := p.changed
		p.mu.Unlock()
		if ok && is(got) {
			return got
		}
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatalf("no answer to the request for %s; the last one is %+v, %t; session: %v", key, got, ok, p.session.Failed())
		}
	}
}

// renumbered is a request with another sequence.
func renumbered(r bgp.Request, sequence uint32) bgp.Request {
	r.Communities = slices.Clone(r.Communities)
	for i, c := range r.Communities {
		if c[0] == 0x88 && c[1] == 0x01 {
			r.Communities[i] = bgp.Community{c[0], c[1], c[2], c[3], byte(sequence >> 24), byte(sequence >> 16), byte(sequence >> 8), byte(sequence)}
		}
	}
	return r
}

// identity is a request with the RD of another TES.
func identity(r bgp.Request, tes string) bgp.Request {
	a := netip.MustParseAddr(tes).As4()
	copy(r.RD[2:6], a[:])
	return r
}

// nextHop is a request with the next hop of another TES.
func nextHop(r bgp.Request, tes string) bgp.Request {
	r.NextHop = netip.MustParseAddr(tes)
	return r
}

// flips changes every single bit of what a credential speaks of in a request that would be accepted, then shows that it is.
func (p *poisoned) flips(good bgp.Ask, expiry uint32) {
	p.t.Helper()
	good.Policy = 17<<8 | 3
	base := good.With(p.key, keyID, expiry)
	community := func(sub byte) int {
		return slices.IndexFunc(base.Communities, func(c bgp.Community) bool { return c[0] == 0x88 && c[1] == sub })
	}
	flip := func(name string, want byte, bits int, change func(r *bgp.Request, bit int), except ...int) {
		for bit := range bits {
			r := base
			r.Communities, r.MAC = slices.Clone(base.Communities), slices.Clone(base.MAC)
			change(&r, bit)
			if r.NextHop.IsMulticast() {
				continue // which is no route at all: the edge does not get to see it
			}
			expected := want
			if slices.Contains(except, bit) {
				expected = invalidVNMACOrTag
			}
			if got := p.answer(r); got.Status == 0 || got.Reason != expected {
				p.t.Errorf("%s, bit %d: %+v, want reason %d", name, bit, got, expected)
			}
		}
	}
	in := func(sub, from, octets byte) (int, func(r *bgp.Request, bit int)) {
		i := community(sub)
		return 8 * int(octets), func(r *bgp.Request, bit int) { r.Communities[i][2+int(from)+bit/8] ^= 1 << (bit % 8) }
	}
	each := func(name string, want, sub, from, octets byte) {
		bits, change := in(sub, from, octets)
		flip(name, want, bits, change)
	}
	flip("label", unknownVN, 24, func(r *bgp.Request, bit int) { r.Label ^= 1 << bit })
	flip("MAC", badCredential, 48, func(r *bgp.Request, bit int) { r.MAC[bit/8] ^= 1 << (bit % 8) }, 0) // a group address
	flip("TES-ID of the RD", failedAuthorization, 32, func(r *bgp.Request, bit int) { r.RD[2+bit/8] ^= 1 << (bit % 8) })
	flip("next hop", failedAuthorization, 32, func(r *bgp.Request, bit int) {
		a := r.NextHop.As4()
		a[bit/8] ^= 1 << (bit % 8)
		r.NextHop = netip.AddrFrom4(a)
	})
	each("VMID-a", badCredential, 0x02, 0, 6)
	each("VMID-b", badCredential, 0x03, 0, 6)
	each("VMID-c", badCredential, 0x04, 0, 4)
	each("policy", badCredential, 0x05, 0, 4)
	each("key id and tag", badCredential, 0x14, 0, 6)
	each("tag", badCredential, 0x15, 0, 6)
	each("tag", badCredential, 0x16, 0, 6)
	each("expiry", badCredential, 0x17, 0, 4)

	named := good
	named.Name = "blue"
	base = named.With(p.key, keyID, expiry)
	each("VN-NAME-a", unknownVN, 0x0e, 0, 6)
	each("VN-NAME-b", unknownVN, 0x0f, 0, 6)
	good.IP, good.Index, good.Count = netip.MustParseAddr("10.1.0.3"), 2, 2
	base = good.With(p.key, keyID, expiry)
	alone := good
	alone.IP, alone.Index = netip.Addr{}, 1
	for bit := range 32 {
		a := good.IP.As4()
		a[bit/8] ^= 1 << (bit % 8)
		wrong, sequence := base, p.sequence()
		wrong.IP = netip.AddrFrom4(a)
		first := renumbered(alone.With(p.key, keyID, expiry), sequence)
		wrong = renumbered(wrong, sequence)
		p.send(first)
		p.send(wrong)
		if got := p.await(wrong, func(r bgp.Response) bool { return r.Sequence == sequence }); got.Status == 0 || got.Reason != badCredential {
			p.t.Errorf("IP, bit %d: %+v, want reason %d", bit, got, badCredential)
		}
		if got := p.await(first, func(r bgp.Response) bool { return r.Sequence == sequence }); got.Status == 0 || got.Reason != incompleteSet {
			p.t.Errorf("beside IP, bit %d: %+v, want reason %d", bit, got, incompleteSet)
		}
		for _, r := range []bgp.Request{first, wrong} {
			if err := p.session.Unask(r); err != nil {
				p.t.Fatal(err)
			}
		}
	}

	good.Op, good.IP, good.Index, good.Count = bgp.Associate, netip.Addr{}, 0, 0
	sequence := p.sequence()
	p.send(renumbered(good.With(p.key, keyID, expiry), sequence))
	p.accepted(good, sequence)
	p.ends(good)
}

// accepted waits for SUCCESS.
func (p *poisoned) accepted(a bgp.Ask, sequence uint32) {
	p.t.Helper()
	if got := p.await(a.Request(), func(r bgp.Response) bool { return r.Sequence == sequence }); got.Status != 0 || got.Reason != 0 {
		p.t.Errorf("what was vouched for: %+v, want success", got)
	}
}

// ends terminates a VM and waits until the edge has forgotten it.
func (p *poisoned) ends(a bgp.Ask) {
	p.t.Helper()
	a.Op, a.Base, a.Sequence = bgp.Terminate, 2, p.sequence()
	p.send(a.Request())
	p.accepted(a, a.Sequence)
	p.forgotten(a)
}

// forgotten takes a request back and waits until the edge knows nothing of its VM.
func (p *poisoned) forgotten(a bgp.Ask) {
	p.t.Helper()
	if err := p.session.Unask(a.Request()); err != nil {
		p.t.Fatal(err)
	}
	id := hex.EncodeToString(a.VM[:])
	p.l.soon("the end of "+id, func() error {
		for _, v := range p.l.held() {
			if v.TES == tes3 && strings.ReplaceAll(v.VMID, "-", "") == id {
				return fmt.Errorf("it is %s", v.State)
			}
		}
		return nil
	})
}

// replays says again what was good once: in the VM's life, after its end, and when the edge has forgotten it and the credential has expired.
func (p *poisoned) replays(v vm) {
	p.t.Helper()
	soon := time.Now().Add(2 * time.Second)
	a := p.ask(v)
	a.Sequence = p.sequence()
	old := a.With(p.key, keyID, uint32(soon.Unix()))
	p.send(old)
	p.accepted(a, a.Sequence)

	b := a
	b.Op, b.Base, b.Sequence = bgp.Suspend, 2, p.sequence()
	p.send(b.Request())
	p.accepted(b, b.Sequence)
	stale := func(when string, highest uint32) {
		p.t.Helper()
		p.send(old)
		if got := p.await(old, func(r bgp.Response) bool { return r.Reason == staleSequence }); got.Status == 0 || got.Sequence != highest {
			p.t.Errorf("an old sequence, %s: %+v, want stale with %d", when, got, highest)
		}
	}
	stale("while it lives", b.Sequence)
	b.Op, b.Base, b.Sequence = bgp.Terminate, 3, p.sequence()
	p.send(b.Request())
	p.accepted(b, b.Sequence)
	stale("after its end", b.Sequence)
	p.forgotten(b)

	p.l.soon("the credential's end", func() error {
		if left := time.Until(time.Unix(soon.Unix(), 0)); left > 0 {
			return fmt.Errorf("it has %s", left)
		}
		return nil
	})
	p.send(old)
	if got := p.await(old, func(r bgp.Response) bool { return r.Reason == badCredential }); got.Status == 0 || got.Sequence != a.Sequence {
		p.t.Errorf("an old sequence of a VM that is forgotten: %+v, want that it is judged anew", got)
	}
	if err := p.session.Unask(old); err != nil {
		p.t.Fatal(err)
	}
}

// heldVM is a VM as the edge lists it.
type heldVM struct {
	VMID, TES, State string
	Routes           []struct {
		VN, MAC, IP, Policy string
		Active              bool
	}
}

// held is all that the edge holds.
func (l lab) held() (all []heldVM) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(l.run("edge1", "tnsctl", "--json", "vm", "list")), &all); err != nil {
		l.t.Fatal(err)
	}
	return all
}
