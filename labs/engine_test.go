package labs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/tns-project/tns/labs/internal/frr"
	"github.com/tns-project/tns/labs/internal/wait"
)

// How often an engine is killed: while no route changes, and while VMs come, go and migrate.
const (
	quietKills = 30
	busyKills  = 70
)

// A supervisor starts what has lived a second again at once, else it waits first. So most kills leave each engine that
// long, in turns; one of four is followed by another of the same edge, which hits the next engine while it starts.
const (
	shortestGap = 550 * time.Millisecond
	longestGap  = 850 * time.Millisecond
	again       = 400 * time.Millisecond // at most, until the second kill
)

// sessionsOf is how many sessions each daemon of the engine lab has.
var sessionsOf = map[string]int{"edge1": 3, "edge2": 2, "tes1": 1, "tes2": 1, "tes3": 1}

// TestEngineKilled kills the engines of two edges a hundred times, at random moments. No peer's session notices, FRR
// gets no UPDATE while no route changes, no frame of a millisecond's flows between three places is lost or flooded,
// each operation ends as asked, and afterwards everybody knows where every VM is. Then a guard is killed, and a
// supervisor: sessions come back, and the kernel keeps its entries meanwhile.
func TestEngineKilled(t *testing.T) {
	random := newRandom(t)
	l, w := engineLab(t)
	flows := l.flows()
	before := l.standing()
	t.Run("while no route changes", func(t *testing.T) {
		l := l.in(t)
		updates := l.updates()
		l.killEngines(random, quietKills)
		l.settled()
		err := wait.Throughout(l.ctx, 300*time.Millisecond, "UPDATEs", func() error { return differ("UPDATEs received", updates, l.updates()) })
		if err != nil {
			t.Error(err)
		}
		l.agreed(w)
	})
	t.Run("while VMs come, go and migrate", func(t *testing.T) {
		l := l.in(t)
		l.busy(w, random, func(context.Context) { l.killEngines(random, busyKills) })
		if w.operations < busyKills {
			t.Errorf("%d operations in %d lives of engines: they were not under way", w.operations, busyKills)
		}
	})
	if diff := gocmp.Diff(before, l.standing(), gocmp.Comparer(epoch.same)); diff != "" {
		t.Errorf("sessions (-before +after):\n%s", diff)
	}
	for _, f := range flows {
		f.judge(l)
	}
	if t.Failed() {
		return
	}
	t.Run("the guard is killed", func(t *testing.T) { l.in(t).killGuard("edge1", w) })
	t.Run("the supervisor is killed", func(t *testing.T) { l.in(t).killSupervisor("edge2", w) })
}

// Bursts of kills, as a program that crashes while it starts brings about. Between two of them there is an engine for a while.
const (
	burstKills = 3 // at most
	burstTime  = 400 * time.Millisecond
	calm       = 1500 * time.Millisecond // at most
)

// TestEngineKilledInBursts kills the engine of one edge after the other up to three times in a row, most of them before their start is over, while VMs come, go and
// migrate: each operation is answered, and afterwards all agree.
func TestEngineKilledInBursts(t *testing.T) {
	random := newRandom(t)
	l, w := engineLab(t)
	before := l.standing()
	for _, edge := range []string{"edge1", "edge2"} {
		l.busy(w, random, func(ctx context.Context) { l.killInBursts(ctx, random, edge) })
		if t.Failed() {
			return
		}
	}
	if diff := gocmp.Diff(before, l.standing(), gocmp.Comparer(epoch.same)); diff != "" {
		t.Errorf("sessions (-before +after):\n%s", diff)
	}
}

// busy lets VM managers work while something is done, whose ctx ends when one of them fails, and sees that all agree afterwards.
func (l lab) busy(w *whereabouts, random *rand.Rand, do func(context.Context)) {
	l.t.Helper()
	done := make(chan struct{})
	managers := l.managers()
	group, ctx := errgroup.WithContext(l.ctx)
	for range 3 {
		own, first := rand.New(rand.NewPCG(random.Uint64(), 0)), w.fresh()
		group.Go(func() error { return manages(ctx, done, managers, w, own, first) })
	}
	do(ctx)
	close(done)
	if err := group.Wait(); err != nil {
		l.t.Error(err)
		l.explain(err)
		return
	}
	slowest := time.Duration(0)
	for _, m := range managers {
		slowest = max(slowest, time.Duration(m.slowest.Load()))
	}
	l.t.Logf("%d operations so far, the slowest answered after %v; %d VMs are left", w.operations, slowest.Round(time.Millisecond), len(w.vms))
	l.settled()
	l.agreed(w)
}

// killInBursts kills the engine of an edge until all bursts are over, or ctx is. A burst begins when an engine has taken over the sessions, or some time later.
func (l lab) killInBursts(ctx context.Context, random *rand.Rand, edge string) {
	l.t.Helper()
	pause := func(most time.Duration) { // not a wait for anything: the date of the next misfortune
		select {
		case <-time.After(time.Duration(random.Int64N(int64(most)))):
		case <-ctx.Done():
		}
	}
	kills := 0
	for n := 0; n < *bursts && ctx.Err() == nil; n++ {
		l.takenOver(edge)
		pause(calm)
		for range 1 + random.IntN(burstKills) {
			l.killProcess(edge, "engine")
			kills++
			pause(burstTime / burstKills)
		}
	}
	l.t.Logf("%d kills of the engine of %s", kills, edge)
}

// takenOver waits until the engine of an edge has all sessions.
func (l lab) takenOver(edge string) {
	l.t.Helper()
	l.soon("the engine of "+edge, func() error {
		all, err := l.sessions(edge)
		for _, s := range all {
			if !s.up() || s.Engine != "established" {
				err = errors.Join(err, fmt.Errorf("%s has a session that is not taken over: %+v", edge, s))
			}
		}
		return err
	})
}

// engineLab is the engine lab with a VM at each site, and where they are.
func engineLab(t *testing.T) (lab, *whereabouts) {
	t.Helper()
	return engineLabOf(t, "engine/topology.clab.yml")
}

// engineLabOf is engineLab of a copy, or of the original.
func engineLabOf(t *testing.T, topology string) (lab, *whereabouts) {
	t.Helper()
	l := deploy(t, topology)
	for node, sessions := range sessionsOf {
		l.established(node, sessions)
	}
	if err := (frr.Router{Lab: l.Lab, Node: "rr"}).WaitSessions(l.ctx, patience, edge1, edge2, vtep); err != nil {
		t.Fatal(err)
	}
	w := newWhereabouts()
	for i, s := range sites {
		v := newVM(i + 1) // vm1 and vm3 have the MACs of the first and the third
		l.does(s.node, "associate", v.id, "--nic", fmt.Sprintf("vn=blue,mac=%s", v.mac))
		w.note(v, s, "associated")
	}
	l.run("vtep", "bridge", "fdb", "add", farMAC.String(), "dev", "blue", "master", "static")
	l.agreed(w)
	l.settled()
	return l, w
}

// newRandom is a source of random numbers that can be had again.
func newRandom(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("go test ./labs -run %s -seed %d", t.Name(), s)
	return rand.New(rand.NewPCG(s, 0))
}

// killEngines kills the engines of both edges, so many in all.
func (l lab) killEngines(random *rand.Rand, count int) {
	l.t.Helper()
	between := func(least, most time.Duration) { // not a wait for anything: the date of the next misfortune
		select {
		case <-time.After(least + time.Duration(random.Int64N(int64(most-least)))):
		case <-l.ctx.Done():
			l.t.Fatal(context.Cause(l.ctx))
		}
	}
	began := time.Now()
	for killed, turn := 0, 0; killed < count; killed, turn = killed+1, turn+1 {
		edge := []string{"edge1", "edge2"}[turn%2]
		between(shortestGap, longestGap)
		l.killProcess(edge, "engine")
		if random.IntN(4) == 0 && killed+1 < count {
			between(0, again)
			l.killProcess(edge, "engine")
			killed++
		}
	}
	l.t.Logf("%d kills in %v", count, time.Since(began).Round(time.Millisecond))
}

// killProcess waits until a process of an nved runs, and kills it.
func (l lab) killProcess(edge, name string) {
	l.t.Helper()
	l.soon(name+" at "+edge, func() error {
		p, err := l.Process(edge, name)
		if err == nil {
			err = p.Kill()
		}
		return err
	})
}

// settled waits until the engine of each edge has taken over all sessions and told everything.
func (l lab) settled() {
	l.t.Helper()
	for _, edge := range []string{"edge1", "edge2"} {
		l.soon("the engine of "+edge, func() error {
			all, err := l.sessions(edge)
			for _, s := range all {
				if !s.up() || s.Engine != "established" || s.Renewing {
					err = errors.Join(err, fmt.Errorf("%s has a session that is not taken over: %+v", edge, s))
				}
			}
			return err
		})
	}
}

// agreed waits until everybody says the same of where VMs are, and sees that it stays so.
func (l lab) agreed(w *whereabouts) {
	l.t.Helper()
	l.soon("agreement", func() error { return l.agree(w.all()) })
	if err := wait.Throughout(l.ctx, 300*time.Millisecond, "agreement", func() error { return l.agree(w.all()) }); err != nil {
		l.t.Error(err)
	}
}

// epoch is when a session came up, in Unix time. FRR tells it to the second, by the time that has passed since.
type epoch int64

func (e epoch) same(other epoch) bool { return e-other <= 1 && other-e <= 1 }

// stands is what does not change as long as a session stands.
type stands struct {
	Since    time.Time // of ours
	Epoch    epoch     // of FRR's
	Sessions int       // that there have been
}

// standing asks both sides of all sessions.
func (l lab) standing() map[string]stands {
	l.t.Helper()
	all := make(map[string]stands)
	for node := range sessionsOf {
		sessions, err := l.sessions(node)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, s := range sessions {
			all[node+" with "+s.Peer] = stands{Since: s.Since, Sessions: s.Sessions}
		}
	}
	for _, node := range []string{"rr", "vtep"} {
		for peer, n := range l.neighbours(node) {
			all[node+" with "+peer] = stands{Epoch: epoch(n.Epoch), Sessions: n.Established}
		}
	}
	return all
}

func (l lab) neighbours(node string) map[string]frr.Neighbour {
	l.t.Helper()
	all, err := frr.Router{Lab: l.Lab, Node: node}.Neighbours(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// updates counts the UPDATEs that each speaker has had from each edge, and the plain VTEP from the reflector.
func (l lab) updates() map[string]int {
	l.t.Helper()
	all := make(map[string]int)
	for _, node := range []string{"rr", "vtep"} {
		for peer, n := range l.neighbours(node) {
			all[node+" from "+peer] = n.Messages.Updates
		}
	}
	for _, s := range sites {
		sessions, err := l.sessions(s.node)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, session := range sessions {
			all[s.node+" from "+session.Peer] = session.Received
		}
	}
	return all
}

// flow is a stream of probes between two places that stay where they are.
type flow struct {
	*stream
	from, to string
	third    string // the edge that is not on its way
}

// flows starts probes each way between the VM at each edge and the host behind the plain VTEP.
func (l lab) flows() (all []flow) {
	l.t.Helper()
	ends := []struct{ node, edge string }{{"vm1", "edge1"}, {"vm3", "edge2"}, {"far", "vtep"}}
	macs := map[string]net.HardwareAddr{"vm1": newVM(1).mac, "vm3": newVM(3).mac, "far": farMAC}
	for i, a := range ends {
		for j, b := range ends {
			if i == j {
				continue
			}
			third := ends[3-i-j].edge
			s := l.streamFrom(a.node, macs[a.node], macs[b.node], []string{b.node}, []string{third})
			s.talks = true
			all = append(all, flow{s, a.node, b.node, third})
		}
	}
	for _, f := range all {
		f.arrive(f.to, 100)
	}
	return all
}

// judge ends the flow: nothing was lost, and nothing flooded.
func (f flow) judge(l lab) {
	l.t.Helper()
	f.arrive(f.to, 100)
	r := f.stop(f.to)
	l.t.Logf("from %s to %s: %s", f.from, f.to, r)
	if r.Lost+r.Duplicated+r.Reordered > 0 {
		l.t.Errorf("probes from %s to %s: %s", f.from, f.to, r)
	}
	if n := len(f.taps[f.third].Arrivals()); n > 0 {
		l.t.Errorf("%d copies of frames from %s to %s came to %s", n, f.from, f.to, f.third)
	}
}

// killGuard kills the guard of an edge: the same engine goes on, and its kernel keeps every entry until the sessions
// are back, and after.
func (l lab) killGuard(edge string, w *whereabouts) {
	l.t.Helper()
	engine, err := l.Process(edge, "engine")
	if err != nil {
		l.t.Fatal(err)
	}
	before := l.standing()
	l.killProcess(edge, "guard")
	l.t.Logf("all sessions were back after %v", l.comeBack(edge, before, w))
	l.agreed(w)
	if after, err := l.Process(edge, "engine"); err != nil || after.ID != engine.ID {
		l.t.Errorf("the engine was %+v and is %+v, %v", engine, after, err)
	}
	l.operates(w)
}

// killSupervisor kills the first process of an nved: the others end with it. It is started again, as an init does.
func (l lab) killSupervisor(edge string, w *whereabouts) {
	l.t.Helper()
	all, err := l.Processes(edge)
	if err != nil || len(all) != 3 {
		l.t.Fatalf("nved's processes at %s: %v, %v; want three", edge, all, err)
	}
	before := l.standing()
	began := time.Now()
	for _, p := range all {
		// The first is killed, the others have to go by themselves.
		if p.ID == all[0].ID {
			err = p.Kill()
		} else {
			err = p.Wait()
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	l.t.Logf("all of nved was gone after %v", time.Since(began))
	if err := l.Start(edge); err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("all sessions were back after %v", l.comeBack(edge, before, w))
	l.agreed(w)
	l.operates(w)
}

// comeBack waits until an edge has new sessions with all its peers, and sees that its kernel keeps all entries meanwhile.
func (l lab) comeBack(edge string, before map[string]stands, w *whereabouts) time.Duration {
	l.t.Helper()
	began := time.Now()
	var lost error
	l.soon("sessions of "+edge, func() error {
		if lost == nil {
			lost = l.kernelAgrees(edge, w.all())
		}
		sessions, err := l.sessions(edge)
		if err != nil {
			return err
		}
		back := 0
		for _, s := range sessions {
			if s.up() && s.Engine == "established" && s.Since.After(before[edge+" with "+s.Peer].Since) {
				back++
			}
		}
		if want := sessionsOf[edge]; back != want {
			return fmt.Errorf("%d of %d sessions are back: %+v", back, want, sessions)
		}
		return nil
	})
	took := time.Since(began).Round(time.Millisecond)
	if lost != nil {
		l.t.Errorf("before the sessions were back: %v", lost)
	}
	return took
}

// operates takes a VM from each site to the next and away: everything works.
func (l lab) operates(w *whereabouts) {
	l.t.Helper()
	managers := l.managers()
	v := newVM(9000)
	l.does(sites[0].node, "associate", v.id, "--nic", fmt.Sprintf("vn=blue,mac=%s", v.mac))
	for i := range sites[1:] {
		if err := migrate(l.ctx, v, sites[i], sites[i+1], managers); err != nil {
			l.t.Fatal(err)
		}
	}
	last := sites[len(sites)-1]
	w.note(v, last, "associated")
	l.agreed(w)
	l.does(last.node, "terminate", v.id)
	w.note(v, last, "")
	l.agreed(w)
}
