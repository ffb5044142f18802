package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// What TestMutatedMessages is told from outside: how many mutated messages it sends, and the seed from which they come.
const (
	mutationsVariable = "GUARD_MUTATIONS"
	seedVariable      = "GUARD_SEED"
)

const (
	defaultMutations = 20_000
	checkEvery       = 500     // messages between two changes of the clean peer
	tellEvery        = 250_000 // messages between two lines about memory
)

// TestMutatedMessages lets established peers of four kinds, two of each, send mutated messages through real sessions, the guard and, in a process of its own,
// GoBGP behind it. Each session ends as was foreseen, and not before GoBGP has told of everything that the guard let through; GoBGP refuses nothing of it and
// lives. Beside them a clean peer announces and withdraws a route all the time, whose session stays, and which hears nothing of it all.
//
// The same seed and number make the same messages. docs/fuzzing.md has the figures of ten million.
func TestMutatedMessages(t *testing.T) {
	count, seed := setTo(t, mutationsVariable, defaultMutations), setTo(t, seedVariable, 1)
	own, families := address(), []wire.Family{wire.EVPN, wire.RouteTargets}
	c := guard.Config{
		AS: as, RouterID: id(own), Listen: []netip.AddrPort{addrPort(own)}, Families: families, Log: testLog(),
		Engine:      guard.Engine{Address: addrPort(address()), Network: network(), Password: "between guard and engine"},
		Memberships: []evpn.RouteTarget{evpn.RequestTarget(id(own))},
		MirrorTime:  1, // GoBGP hears everything before a session ends
	}
	var mutants []*mutant
	for i := range 8 {
		s, its := wire.Session{Families: families[:1+i%2], FourOctetAS: i%4 != 3, Internal: i%4 < 2, AS: as, RouterID: id(own)}, uint32(as)
		if !s.Internal {
			its = as + 1
		}
		a := address()
		mutants = append(mutants, newMutant(uint64(seed), i, a, own, its, s))
		c.Peers = append(c.Peers, guard.Peer{Prefix: netip.PrefixFrom(a, 32), Passive: true, AS: its, HoldTime: 90 * time.Second})
	}
	cleanAddress := address()
	c.Peers = append(c.Peers, guard.Peer{Prefix: netip.PrefixFrom(cleanAddress, 32), Passive: true, AS: as, HoldTime: 90 * time.Second})
	f := &field{t: t, guard: run(t, c), mutants: mutants, start: time.Now()}
	f.startEngine()
	f.startClean(cleanAddress)
	f.memory("start")
	f.all(count, seed)
	f.memory("end")
	f.verdict()
}

// setTo is the number in a variable of the environment.
func setTo(t *testing.T, variable string, other int) int {
	s := os.Getenv(variable)
	if s == "" {
		return other
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// field is where mutants and a clean peer meet a guard and its engine.
type field struct {
	t       *testing.T
	guard   *running
	mutants []*mutant
	clean   *raw
	before  guard.Status // of the clean peer
	heard   int          // UPDATEs by the clean peer
	changes uint32       // of the clean peer's route that arrived
	slowest time.Duration
	start   time.Time
	sent    atomic.Int64
	engine  *observed
}

// startEngine starts GoBGP with the inner peers that the guard says.
func (f *field) startEngine() {
	f.t.Helper()
	c := f.guard.config
	e := engineConfig{RouterID: c.RouterID, AS: c.AS, Address: c.Engine.Address, Control: f.guard.serve(f.t).Path}
	inner, err := c.InnerPeers()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range inner {
		e.Peers = append(e.Peers, gobgp.Peer{Prefix: p.Prefix, Dynamic: true, AS: p.Peer.AS, HoldTime: 90 * time.Second, Password: c.Engine.Password})
	}
	f.engine = startObserved(f.t, e)
	f.t.Cleanup(f.engine.end)
}

// startClean brings the clean peer up.
func (f *field) startClean(address netip.Addr) {
	f.clean = call(f.t, address, f.guard.own())
	open := f.clean.hello()
	open.HoldTime = 0 // it has nothing to say for the whole time
	f.clean.establish(f.t, open)
	f.guard.waitUp(f.t, address)
	f.guard.waitMirror(f.t, address)
	eventually(f.t, "the clean peer hears the engine's routes and End-of-RIB", func() bool {
		s := f.guard.status(f.t, address)
		return s.RoutesOut == observedRoutes && !s.Renewing && s.Waiting == 0
	})
	if err := f.change(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.before = f.guard.status(f.t, address)
	eventually(f.t, "the clean peer has read all", func() bool { return f.clean.count(wire.TypeUpdate) == int(f.before.Sent) })
	f.heard = int(f.before.Sent)
}

// change lets the clean peer announce its route and withdraw it, and waits until GoBGP has told of both.
func (f *field) change(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f.changes++
	for _, label := range []uint32{f.changes & 0xffffff, 0} {
		start := time.Now()
		if _, err := f.clean.Write(mark([8]byte{0, 1, 10, 0, 2, 1}, label)); err != nil {
			return fmt.Errorf("the clean peer's session: %w", err)
		}
		if _, err := f.engine.await(ctx, f.clean.address, label); err != nil {
			return fmt.Errorf("the clean peer's route: %w", err)
		}
		f.slowest = max(f.slowest, time.Since(start))
	}
	return nil
}

// all lets the mutants send so many messages together, and the clean peer go on beside them. The first failure ends it.
func (f *field) all(count, seed int) {
	f.t.Helper()
	ctx, cancel := context.WithCancelCause(f.t.Context())
	defer cancel(nil)
	var mutants, clean sync.WaitGroup
	check := make(chan struct{}, 1)
	failed := make([]error, len(f.mutants))
	for i, m := range f.mutants {
		mutants.Go(func() {
			n := count / len(f.mutants)
			if i < count%len(f.mutants) {
				n++
			}
			failed[i] = m.run(ctx, n, f.engine, func(messages int) {
				if now := f.sent.Add(int64(messages)); (now-int64(messages))/checkEvery != now/checkEvery {
					select {
					case check <- struct{}{}:
					default:
					}
				}
			})
			if failed[i] != nil {
				cancel(failed[i])
			}
		})
	}
	clean.Go(func() {
		told := int64(0)
		for range check {
			if err := f.change(ctx); err != nil && ctx.Err() == nil {
				f.t.Error(err)
				cancel(err)
			}
			if now := f.sent.Load(); now/tellEvery != told/tellEvery {
				told = now
				f.memory(fmt.Sprintf("%d messages", now))
			}
		}
	})
	mutants.Wait()
	close(check)
	clean.Wait()
	if f.engine.gone() {
		f.t.Errorf("the engine has ended by itself: %v", f.engine.err)
	}
	for i, err := range failed {
		if err == nil || err != context.Cause(ctx) && !f.engine.gone() {
			continue // only the first failure is one
		}
		if f.engine.gone() {
			err = errors.New("among these is what ended the engine, it seems")
		}
		m := f.mutants[i]
		f.t.Errorf("seed %d, %d messages: mutant %d, session %d, after %d messages: %v\n%s", seed, count, i, 1+m.count.sessions, m.count.executions(), err, m.current.octets())
	}
}

// memory writes down what both processes have now.
func (f *field) memory(when string) {
	here, _ := memory("self")
	engine, _ := memory(strconv.Itoa(f.engine.cmd.Process.Pid))
	f.t.Logf("%s, after %v: %d MB in the guard with this test, %d MB in GoBGP", when, time.Since(f.start).Round(time.Second), here>>10, engine>>10)
}

// verdict compares what was counted, and tells it.
func (f *field) verdict() {
	took := time.Since(f.start)
	engine, err := f.engine.askStats(f.t.Context())
	if err != nil {
		f.t.Errorf("the engine's counters: %v", err)
	}
	var all tally
	for _, m := range f.mutants {
		s := f.guard.status(f.t, m.address)
		if c := m.count; !f.t.Failed() && (s.Sessions != uint64(c.sessions) || s.Received != c.updates || s.Filtered != c.refusals) {
			f.t.Errorf("the guard counts %d sessions, %d UPDATEs and %d refusals of %v, must count %d, %d and %d", s.Sessions, s.Received, s.Filtered, m.address, c.sessions, c.updates, c.refusals)
		}
		all.add(m.count)
	}
	now := f.guard.status(f.t, f.clean.address)
	if now.State != guard.Established || now.Since != f.before.Since || now.EngineSince != f.before.EngineSince {
		f.t.Errorf("the clean peer's session was disturbed: %+v, before %+v", now, f.before)
	}
	if n := f.clean.count(wire.TypeUpdate); n != f.heard {
		f.t.Errorf("the clean peer has heard %d UPDATEs, had heard %d before the others came", n, f.heard)
	}
	if engine.GoBGP.TreatedAsWithdraw+engine.GoBGP.Ignored+engine.GoBGP.Refused+engine.Link.Refused > 0 {
		f.t.Errorf("GoBGP, or who reads what it or the guard tells, found errors in what the guard let through: %+v", engine)
	}
	if engine.Link.Links != 1 || engine.Link.Received < uint64(f.changes) {
		f.t.Errorf("the engine heard of %d routes, on %d links", engine.Link.Received, engine.Link.Links)
	}
	fateful := ""
	for is, n := range all.messages {
		fateful += fmt.Sprintf("%v %d, ", fate(is), n)
		if n == 0 && f.sent.Load() >= defaultMutations {
			f.t.Errorf("%v: no message is; the mutations are too weak", fate(is))
		}
	}
	_, here := memory("self")
	_, there := memory(strconv.Itoa(f.engine.cmd.Process.Pid))
	n := all.executions()
	f.t.Logf("%d messages in %d sessions, in %v: %.0f a second", n, all.sessions, took.Round(time.Millisecond), float64(n)/took.Seconds())
	f.t.Logf("%sin one write with a reset, before it: %d", fateful, all.behind)
	f.t.Logf("GoBGP told of %d routes and withdrawals of types 2 and 3, and of %d of other types, the link of %d and %d", engine.GoBGP.Received, engine.GoBGP.Skipped, engine.Link.Received, engine.Link.Skipped)
	f.t.Logf("clean peer: %d changes, the slowest after %v; most memory: %d MB in the guard with this test, %d MB in GoBGP", f.changes, f.slowest.Round(time.Millisecond), here>>10, there>>10)
}
