package labs_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/bgp"
)

// mutations is how many random requests are sent: TNS_MUTATIONS, or as many as the tests have time for.
func mutations(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TNS_MUTATIONS")
	if text == "" {
		return 10000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TNS_MUTATIONS=%s: want a number of requests", text)
	}
	return n
}

// crowd is how many VMs of its own the poisoned hypervisor has, all vouched for.
const crowd = 16

// own is the n-th of them: some have an address, some a policy.
func (p *poisoned) own(n int) []bgp.Ask {
	a := p.ask(newVM(n))
	a.VM[0], a.MAC = 0x55, net.HardwareAddr{2, 0, 0, 0, 5, byte(n)}
	if n%3 > 0 {
		a.Policy = uint32(n%3)<<8 | 1
	}
	if n%2 == 0 {
		return []bgp.Ask{a}
	}
	b := a
	a.Count, b.Count, b.Index = 2, 2, 2
	b.IP = netip.AddrFrom4([4]byte{10, 1, 5, byte(n)})
	return []bgp.Ask{a, b}
}

// mutates sends requests for its own VMs with one to three things in each changed at random: bits, fields, whole communities, which may be another VM's, TES's or
// time's. In between it asks for something good, which must be accepted. In the end the edge holds what was vouched for, and nothing else.
func (p *poisoned) mutates(victims []credential, expiry, past uint32) {
	p.t.Helper()
	m := &mutator{Rand: rand.New(rand.NewPCG(8394, 8395))}
	vouched := map[string]bool{} // as heldVM.bindings writes them
	for n := range crowd {
		for _, a := range p.own(n) {
			vouched[binding(a)] = true
			m.pool = append(m.pool, a.With(p.key, keyID, expiry).Communities...)
			m.pool = append(m.pool, a.With(p.key, keyID, past).Communities...)
		}
	}
	for n := range 2 { // what is on the wires of the others
		v := p.ask(newVM(1 + n))
		m.pool = append(m.pool, v.Request().Communities...)
	}
	for _, c := range victims {
		m.pool = append(m.pool, bgp.Request{}.Vouched(c.tag(p.t), c.KeyID, c.Expiry).Communities...)
	}
	m.target = p.ask(newVM(1)).Request().Communities[0]

	control := p.ask(newVM(9))
	control.MAC = net.HardwareAddr{2, 0, 0, 0xff, 0xff, 0xff}
	vouched[binding(control)] = true
	before := p.counts()
	count := mutations(p.t)
	var over []bgp.Request // to be taken back
	for i := range count {
		set := p.own(i % crowd)
		sequence := p.sequence()
		op, base, flags := byte(bgp.Associate), byte(0), byte(0)
		if m.IntN(4) == 0 {
			op, base, flags = 1+byte(m.IntN(6)), byte(m.IntN(6)), byte(m.IntN(8)<<1)
		}
		for _, a := range set {
			a.Sequence, a.Op, a.Base, a.Flags = sequence, op, base, flags
			r := a.Request()
			switch m.IntN(8) {
			case 0: // bare
			case 1:
				r = a.With(p.key, keyID, past)
			default:
				r = a.With(p.key, keyID, expiry)
			}
			for range m.IntN(4) {
				m.mutate(&r)
			}
			p.send(r)
			if m.IntN(2) == 0 {
				over = append(over, r)
			}
		}
		if i%crowd < crowd-1 && i < count-1 {
			continue
		}
		// A request that another one replaces at once is not judged: so each of a round has its time.
		control.Sequence = p.sequence()
		p.send(control.With(p.key, keyID, expiry))
		p.accepted(control, control.Sequence)
		for _, r := range over {
			if err := p.session.Unask(r); err != nil {
				p.t.Fatal(err)
			}
		}
		over = over[:0]
	}
	reasons := p.counts()
	for k, n := range before {
		reasons[k] -= n
	}
	p.t.Logf("%d requests; answers by reason: %v", count, reasons)
	for _, reason := range []byte{0, invalidFormat, failedAuthorization, unknownVN, staleSequence, badCredential, incompleteSet} {
		if reasons[reason] == 0 {
			p.t.Errorf("reason %d never came", reason)
		}
	}
	own := 0
	for _, v := range p.l.held() {
		if v.TES != tes3 {
			continue
		}
		own++
		for _, b := range v.bindings() {
			if v.State != "null" && v.State != "terminated" && !vouched[b] {
				p.t.Errorf("the edge holds %s, %s, which was never vouched for", b, v.State)
			}
		}
	}
	if own == 0 {
		p.t.Error("the edge holds none of the hypervisor's own VMs, so that nothing was shown")
	}
}

// counts copies how often each reason was given.
func (h *heard) counts() map[byte]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := map[byte]int{}
	for k, n := range h.reasons {
		counts[k] = n
	}
	return counts
}

// binding is a binding and its policy, as one text.
func binding(a bgp.Ask) string {
	policy := ""
	if a.Policy != 0 {
		policy = fmt.Sprintf("%d:%d", a.Policy>>8, a.Policy&0xff)
	}
	ip := ""
	if a.IP.IsValid() {
		ip = a.IP.String()
	}
	return fmt.Sprintf("%x blue %s %s %s", a.VM, a.MAC, ip, policy)
}

// bindings are those that the edge holds of a VM.
func (r heldVM) bindings() (all []string) {
	for _, b := range r.Routes {
		all = append(all, fmt.Sprintf("%s %s %s %s %s", strings.ReplaceAll(r.VMID, "-", ""), b.VN, b.MAC, b.IP, b.Policy))
	}
	return all
}

// mutator changes requests at random.
type mutator struct {
	*rand.Rand
	pool   []bgp.Community // of other requests
	target bgp.Community   // the request's route target, mostly left alone: without it the edge does not listen
}

// mutate changes one thing.
func (m *mutator) mutate(r *bgp.Request) {
	bit := func(b []byte) { b[m.IntN(len(b))] ^= 1 << m.IntN(8) }
	r.Communities, r.MAC = slices.Clone(r.Communities), slices.Clone(r.MAC)
	i := 0
	if len(r.Communities) > 1 {
		i = 1 + m.IntN(len(r.Communities)-1)
	}
	switch m.IntN(16) {
	case 0, 1, 2, 3: // a bit of a community
		if i > 0 {
			bit(r.Communities[i][:])
		}
	case 4, 5, 6: // another's community of its kind, or any
		c := m.pool[m.IntN(len(m.pool))]
		if j := slices.IndexFunc(r.Communities, func(d bgp.Community) bool { return c[0] == d[0] && c[1] == d[1] }); j > 0 {
			r.Communities[j] = c
		} else if len(r.Communities) < 20 {
			r.Communities = append(r.Communities, c)
		}
	case 7: // one less
		if i > 0 {
			r.Communities = slices.Delete(r.Communities, i, i+1)
		}
	case 8: // one twice, a bit of it changed
		if i > 0 && len(r.Communities) < 20 {
			c := r.Communities[i]
			bit(c[2:])
			r.Communities = append(r.Communities, c)
		}
	case 9:
		m.Shuffle(len(r.Communities), func(i, j int) { r.Communities[i], r.Communities[j] = r.Communities[j], r.Communities[i] })
		j := slices.Index(r.Communities, m.target)
		if j > 0 {
			r.Communities[0], r.Communities[j] = r.Communities[j], r.Communities[0]
		}
	case 10:
		bit(r.MAC)
	case 11:
		r.MAC = net.HardwareAddr{2, 0, 0, 0, 1, byte(1 + m.IntN(3))} // the victim's, its friend's
	case 12:
		r.Label = [...]uint32{0, redVNI, blueVNI, blueVNI ^ 1<<m.IntN(24), m.Uint32N(1 << 24)}[m.IntN(5)]
	case 13:
		a := binary.BigEndian.AppendUint32(nil, m.Uint32())
		switch m.IntN(4) {
		case 0:
			r.IP = netip.Addr{}
		case 1:
			r.IP = netip.AddrFrom4([4]byte{10, 1, 0, byte(1 + m.IntN(2))}) // the victim's, its friend's
		default:
			r.IP = netip.AddrFrom4([4]byte(a))
		}
	case 14:
		if m.IntN(2) == 0 {
			bit(r.RD[:])
		} else {
			*r = identity(*r, []string{tes1, tes2}[m.IntN(2)])
		}
	case 15:
		switch m.IntN(4) {
		case 0:
			*r = nextHop(*r, []string{tes1, tes2}[m.IntN(2)])
		case 1:
			r.Tag = m.Uint32()
		case 2:
			bit(r.ESI[1:])
		case 3:
			bit(r.Communities[0][:])
		}
	}
}
