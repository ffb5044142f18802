package dataplane_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

var (
	mac1  = dataplane.MAC{2, 0, 0, 0, 0, 1}
	mac2  = dataplane.MAC{2, 0, 0, 0, 0, 2}
	vtep2 = netip.MustParseAddr("192.0.2.2")
	vtep3 = netip.MustParseAddr("192.0.2.3")
	ip1   = netip.MustParseAddr("10.0.0.1")

	local  = dataplanetest.Local(10100, mac1, "blue1")
	remote = dataplanetest.Remote(10100, mac1, vtep2)
	other  = dataplanetest.Remote(10100, mac2, vtep3)
	flood  = dataplanetest.Flooded(10100, vtep2)
	known  = dataplanetest.At(10100, ip1, mac1)
	open   = dataplanetest.Opened(10100, "blue1")
)

// twin is an in-memory kernel with the networks of the contract.
func twin(t *testing.T) *dataplanetest.Twin {
	k := dataplanetest.New()
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	return k
}

// in runs a test under synctest with a reconciler that runs, until it has nothing left to do; it ends with the test.
func in(t *testing.T, k dataplane.Kernel, body func(t *testing.T, r *dataplane.Reconciler), opts ...dataplane.Option) {
	synctest.Test(t, func(t *testing.T) {
		r := dataplane.NewReconciler(k, opts...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		body(t, r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		for open := true; open; { // closed, or this never ends
			_, open = r.Answers().Take(nil, 3)
		}
	})
}

// results takes the results that wait.
func results(r *dataplane.Reconciler) (all []dataplane.Result) {
	synctest.Wait()
	for before := -1; before < len(all); {
		before = len(all)
		all, _ = r.Answers().Take(all, 3)
	}
	return all
}

// result takes the one result that waits.
func result(t *testing.T, r *dataplane.Reconciler) dataplane.Result {
	t.Helper()
	all := results(r)
	if len(all) != 1 {
		t.Fatalf("%d results, want 1: %v", len(all), all)
	}
	return all[0]
}

func has(t *testing.T, k *dataplanetest.Twin, want ...string) {
	t.Helper()
	synctest.Wait()
	if d := cmp.Diff(strings.Join(want, "\n"), k.String()); d != "" {
		t.Fatalf("the kernel has (-want +got):\n%s", d)
	}
}

const (
	localLine   = "02:00:00:00:00:01 dev blue1 extern_learn master br10100"
	remoteLine  = "02:00:00:00:00:01 dev vx10100 dst 192.0.2.2 self extern_learn"
	remoteLine2 = "02:00:00:00:00:01 dev vx10100 extern_learn master br10100"
	otherLine   = "02:00:00:00:00:02 dev vx10100 dst 192.0.2.3 self extern_learn"
	otherLine2  = "02:00:00:00:00:02 dev vx10100 extern_learn master br10100"
)

func TestSetAndUnset(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		for _, e := range []dataplane.Entry{local, remote, local} {
			g := r.Set(e)
			if res := result(t, r); res.Key != e.Key || res.Generation != g || res.Removed || res.Err != nil {
				t.Errorf("set %v as generation %d: %+v", e, g, res)
			}
			if !k.Holds(e) {
				t.Errorf("the kernel has not %v", e)
			}
		}
		has(t, k, localLine)
		g := r.Unset(local.Key)
		if res := result(t, r); res.Generation != g || !res.Removed || res.Err != nil {
			t.Errorf("unset: %+v", res)
		}
		has(t, k)
		if got := r.Table(); len(got) != 0 {
			t.Errorf("the table still has %v", got)
		}
	})
}

func TestUnchangedEntryIsNotWrittenAgainButAnswered(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		first := r.Set(local)
		result(t, r)
		k.Log()
		second := r.Set(local)
		if res := result(t, r); res.Generation != second || second <= first || res.Err != nil {
			t.Errorf("%+v, want success of generation %d", res, second)
		}
		if log := k.Log(); len(log) != 0 {
			t.Errorf("the kernel was asked to %q", log)
		}
	})
}

func TestFieldsOfOtherKindsAreIgnored(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		e := flood
		e.VTEP, e.LocalPort, e.Open = vtep2, "blue1", true
		r.Set(e)
		synctest.Wait()
		if !k.Holds(flood) {
			t.Errorf("the kernel has %s", k)
		}
		if set, removed, err := r.Resync(t.Context()); set+removed != 0 || err != nil {
			t.Errorf("set %d, removed %d, %v; want nothing to do", set, removed, err)
		}
	})
}

func TestResultsWaitCoalescedByKey(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		var last dataplane.Generation
		for i := range 1000 { // nobody takes them meanwhile
			last = r.Set(dataplanetest.Remote(10100, mac1, netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i%100)})))
			synctest.Wait()
		}
		if res := result(t, r); res.Generation != last {
			t.Errorf("generation %d, want the last: %d", res.Generation, last)
		}
		r.Set(local)
		r.Set(other)
		r.Unset(local.Key)
		all := results(r)
		if len(all) != 2 {
			t.Fatalf("%d results, want one per key: %v", len(all), all)
		}
	})
}

func TestChangesGatherWhileTheKernelIsBusy(t *testing.T) {
	k := &busy{Twin: twin(t)}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		k.entered, k.release = make(chan struct{}), make(chan struct{})
		r.Set(local)
		<-k.entered
		for i := range 500 {
			r.Set(dataplanetest.Remote(10100, dataplane.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}, vtep2))
		}
		r.Set(remote)
		k.release <- struct{}{}
		<-k.entered
		k.release <- struct{}{}
		synctest.Wait()
		if n := k.Applies(); n != 2 {
			t.Errorf("%d Applies, want 2: the first, and one for what gathered", n)
		}
		if !k.Holds(remote) {
			t.Errorf("the kernel has not %v", remote)
		}
	})
}

// busy is a kernel whose Apply waits until it is released.
type busy struct {
	*dataplanetest.Twin
	entered, release chan struct{}
}

func (b *busy) Apply(ctx context.Context, set []dataplane.Entry, del []dataplane.Key) []error {
	b.entered <- struct{}{}
	<-b.release
	return b.Twin.Apply(ctx, set, del)
}

func TestSetsComeBeforeDeletes(t *testing.T) {
	k := twin(t)
	k.Stale(other)
	r := dataplane.NewReconciler(k)
	r.Unset(flood.Key)
	r.Set(local)
	r.Complete()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.Run(ctx)
	if _, _, err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := k.Log()
	firstDelete := slices.IndexFunc(log, func(s string) bool { return strings.HasPrefix(s, "del") })
	if i := slices.Index(log, "set "+local.String()); i < 0 || firstDelete >= 0 && firstDelete < i {
		t.Errorf("operations in order: %q", log)
	}
}

func TestNothingIsPrunedBeforeComplete(t *testing.T) {
	k := twin(t)
	k.Stale(local)
	k.Stale(other)
	k.Stale(flood)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Set(local)
		for range 3 {
			if _, removed, err := r.Resync(t.Context()); err != nil || removed != 0 {
				t.Fatalf("removed %d, %v", removed, err)
			}
		}
		if !k.Holds(other) || !k.Holds(flood) {
			t.Fatalf("entries of the last run are gone before Complete: %s", k)
		}
		r.Unset(flood.Key)
		synctest.Wait()
		if k.Holds(flood) {
			t.Error("an entry that was unset waits for Complete")
		}
		r.Complete()
		has(t, k, localLine)
		if s := r.Stats(); s.Pruned != 1 || s.Deletes != 1 {
			t.Errorf("%+v, want 1 pruned and 1 deleted", s)
		}
	})
}

func TestForeignEntriesStay(t *testing.T) {
	k := twin(t)
	k.Foreign(other)
	k.Foreign(known)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Complete()
		r.Set(local)
		synctest.Wait()
		if _, removed, err := r.Resync(t.Context()); removed != 0 || err != nil {
			t.Errorf("removed %d, %v", removed, err)
		}
		if !k.Holds(other) || !k.Holds(known) {
			t.Errorf("the kernel has only %s", k)
		}
	})
}

func TestWhatTheLastRunLeftIsAdoptedWithoutAWrite(t *testing.T) {
	k := twin(t)
	all := []dataplane.Entry{local, other, flood, known, open}
	for _, e := range all {
		k.Stale(e)
	}
	r := dataplane.NewReconciler(k)
	for _, e := range all {
		r.Set(e)
	}
	r.Complete()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.Run(ctx)
	for got := []dataplane.Result(nil); len(got) < len(all); {
		<-r.Answers().Ready()
		got, _ = r.Answers().Take(got, len(all))
		for _, res := range got {
			if res.Err != nil {
				t.Error(res.Err)
			}
		}
	}
	if set, removed, err := r.Resync(t.Context()); set+removed != 0 || err != nil {
		t.Errorf("a further pass set %d, removed %d, %v", set, removed, err)
	}
}

func TestFullPassRepairs(t *testing.T) {
	for _, c := range []struct {
		name string
		look func(r *dataplane.Reconciler)
	}{
		{"when the kernel signals", func(r *dataplane.Reconciler) { time.Sleep(time.Second) }},
		{"when asked", func(r *dataplane.Reconciler) { r.Resync(context.Background()) }},
		{"at the interval", func(r *dataplane.Reconciler) { time.Sleep(time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &deaf{Twin: twin(t), deaf: c.name != "when the kernel signals"}
			in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
				r.Set(local)
				r.Set(flood)
				r.Set(other)
				results(r)
				k.Tamper(local.Key)
				k.DeleteVXLAN(10100)
				c.look(r)
				synctest.Wait()
				for _, e := range []dataplane.Entry{local, flood, other} {
					if !k.Holds(e) {
						t.Errorf("the kernel has not %v again", e)
					}
				}
				if all := results(r); len(all) != 0 {
					t.Errorf("a repair that went well was told: %v", all)
				}
			})
		})
	}
}

// deaf is a kernel that may signal nothing.
type deaf struct {
	*dataplanetest.Twin
	deaf bool
}

func (d *deaf) Changes() <-chan struct{} {
	if d.deaf {
		return nil
	}
	return d.Twin.Changes()
}

// signalled has signalled before it is first listened to.
type signalled struct {
	*dataplanetest.Twin
	once sync.Once
}

func (s *signalled) Changes() <-chan struct{} {
	changes := s.Twin.Changes()
	s.once.Do(func() { s.Foreign(other) })
	return changes
}

// What was signalled before a pass needs no other one, which would keep a flood waiting.
func TestAPassTakesTheSignalsBeforeIt(t *testing.T) {
	k := &signalled{Twin: twin(t)}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		time.Sleep(time.Minute)
		if n := r.Stats().FullPasses; n != 1 {
			t.Errorf("%d passes, want that of the start", n)
		}
		k.Foreign(local)
		time.Sleep(time.Minute)
		if n := r.Stats().FullPasses; n != 2 {
			t.Errorf("%d passes, want another one for what is signalled after it", n)
		}
	}, dataplane.Interval(0))
}

func TestSignalsCauseOnePassAtATime(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		before := r.Stats().FullPasses
		for range 1000 { // somebody changes the kernel each millisecond
			k.Foreign(other)
			time.Sleep(time.Millisecond)
		}
		if n := r.Stats().FullPasses - before; n < 5 || n > 11 {
			t.Errorf("%d full passes in a second, want about 10", n)
		}
		r.Set(local)
		if res := result(t, r); res.Err != nil {
			t.Error(res.Err)
		}
	})
}

func TestFailureIsToldOnceAndRetried(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		var tries atomic.Int32
		fail := func(fault string) {
			k.Fail(func(op dataplanetest.Op, key dataplane.Key) error {
				if op != dataplanetest.Set || key != local.Key {
					return nil
				}
				tries.Add(1)
				return errors.New(fault)
			})
		}
		fail("no buffer")
		g := r.Set(local)
		r.Set(other)
		all := results(r)
		if len(all) != 2 || all[0].Err == nil || all[1].Err != nil {
			t.Fatalf("%+v, want a failure and a success", all)
		}
		time.Sleep(10 * time.Second)
		if all := results(r); len(all) != 0 {
			t.Errorf("the same failure was told again: %v", all)
		}
		if n := tries.Load(); n < 5 || n > 9 {
			t.Errorf("%d tries in 10 s, want 5 to 9: 0.1 s, 0.2 s, 0.4 s …", n)
		}
		if s := r.Table()[0]; s.InKernel || !strings.Contains(s.Err, "no buffer") {
			t.Errorf("status %+v", s)
		}
		fail("no device")
		time.Sleep(30 * time.Second)
		if res := result(t, r); res.Generation != g || !strings.Contains(res.Err.Error(), "no device") {
			t.Errorf("%+v, want the new failure", res)
		}
		k.Fail(nil)
		time.Sleep(30 * time.Second)
		if res := result(t, r); res.Generation != g || res.Err != nil {
			t.Errorf("%+v, want success at last", res)
		}
		if s := r.Table()[0]; !s.InKernel || s.Err != "" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestNewWishIsTriedAtOnceWhateverFailedBefore(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		k.Fail(func(dataplanetest.Op, dataplane.Key) error { return errors.New("no") })
		r.Set(local)
		time.Sleep(time.Minute) // the next try is up to 30 s away
		results(r)
		k.Fail(nil)
		now := time.Now()
		r.Set(local)
		if res := result(t, r); res.Err != nil || time.Since(now) != 0 {
			t.Errorf("%+v after %v", res, time.Since(now))
		}
	})
}

func TestFailedRemovalIsRetried(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Set(local)
		results(r)
		k.Fail(func(op dataplanetest.Op, _ dataplane.Key) error {
			if op == dataplanetest.Del {
				return errors.New("busy")
			}
			return nil
		})
		r.Unset(local.Key)
		if res := result(t, r); !res.Removed || res.Err == nil {
			t.Errorf("%+v, want a failed removal", res)
		}
		if got := r.Table(); len(got) != 1 || !got[0].InKernel || got[0].Err == "" {
			t.Errorf("table %+v, want what is still there and why", got)
		}
		k.Fail(nil)
		time.Sleep(time.Second)
		if res := result(t, r); !res.Removed || res.Err != nil {
			t.Errorf("%+v, want success", res)
		}
		has(t, k)
	})
}

func TestListThatFailsIsRetriedAndWritesGoOn(t *testing.T) {
	k := twin(t)
	k.Stale(other)
	k.Fail(func(op dataplanetest.Op, _ dataplane.Key) error {
		if op == dataplanetest.List {
			return errors.New("the dump was interrupted")
		}
		return nil
	})
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Complete()
		r.Set(local)
		if res := result(t, r); res.Err != nil {
			t.Error(res.Err)
		}
		if _, _, err := r.Resync(t.Context()); err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("Resync: %v", err)
		}
		if !k.Holds(other) {
			t.Error("something was pruned without a list")
		}
		k.Fail(nil)
		time.Sleep(30 * time.Second)
		has(t, k, localLine)
	})
}

func TestResyncCounts(t *testing.T) {
	k := &deaf{Twin: twin(t), deaf: true}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Complete()
		r.Set(local)
		r.Set(other)
		results(r)
		k.Tamper(local.Key)
		k.Tamper(other.Key)
		k.Stale(flood)
		set, removed, err := r.Resync(t.Context())
		if set != 2 || removed != 1 || err != nil {
			t.Errorf("set %d, removed %d, %v; want 2, 1", set, removed, err)
		}
		set, removed, err = r.Resync(t.Context())
		if set+removed != 0 || err != nil {
			t.Errorf("then set %d, removed %d, %v; want nothing", set, removed, err)
		}
	})
}

func TestResyncEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dataplane.NewReconciler(twin(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := r.Resync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before Run: %v", err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := r.Run(ended); err != nil {
			t.Error(err)
		}
		if _, _, err := r.Resync(t.Context()); !errors.Is(err, dataplane.ErrStopped) {
			t.Errorf("after Run: %v", err)
		}
	})
}

func TestTableIsSortedAndTellsDrops(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		for _, e := range []dataplane.Entry{open, known, flood, other, local} {
			r.Set(e)
		}
		synctest.Wait()
		for range 7 {
			k.Drop(10100, "blue1")
		}
		var got []string
		for _, s := range r.Table() {
			got = append(got, fmt.Sprintf("%v in kernel %v drops %d", s.Entry, s.InKernel, s.Drops))
		}
		want := []string{
			"unicast 02:00:00:00:00:01 in 10100 on blue1 in kernel true drops 0",
			"unicast 02:00:00:00:00:02 in 10100 via 192.0.2.3 in kernel true drops 0",
			"flood 192.0.2.2 in 10100 in kernel true drops 0",
			"neighbor 10.0.0.1 in 10100 at 02:00:00:00:00:01 in kernel true drops 0",
			"port blue1 in 10100 open in kernel true drops 7",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// states are desired tables that an edge goes through.
var states = []struct {
	name    string
	entries []dataplane.Entry
	lines   []string
}{
	{"nothing", nil, nil},
	{"a VM here", []dataplane.Entry{local, open}, []string{localLine, "port blue1 master br10100 bcast_flood on mcast_flood on"}},
	{"it has an IP and there is a peer", []dataplane.Entry{local, known, flood}, []string{
		"00:00:00:00:00:00 dev vx10100 dst 192.0.2.2 self permanent", localLine,
		"10.0.0.1 dev br10100 lladdr 02:00:00:00:00:01 extern_learn NOARP",
	}},
	{"it moved away", []dataplane.Entry{remote}, []string{remoteLine, remoteLine2}},
	{"another is behind another peer", []dataplane.Entry{remote, other}, []string{remoteLine, remoteLine2, otherLine, otherLine2}},
	{"it came back", []dataplane.Entry{local, other}, []string{localLine, otherLine, otherLine2}},
}

// goTo asks for a state, as a role does: key by key.
func goTo(r *dataplane.Reconciler, entries []dataplane.Entry) {
	wanted := make(map[dataplane.Key]bool)
	for _, e := range entries {
		wanted[e.Key] = true
		r.Set(e)
	}
	for _, s := range r.Table() {
		if !wanted[s.Key] {
			r.Unset(s.Key)
		}
	}
}

func TestStates(t *testing.T) {
	orders := [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}}
	for seed := range uint64(20) {
		orders = append(orders, rand.New(rand.NewPCG(seed, 0)).Perm(len(states)))
	}
	for _, order := range orders {
		k := twin(t)
		in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
			r.Complete()
			for _, i := range order {
				goTo(r, states[i].entries)
				synctest.Wait()
				if d := cmp.Diff(strings.Join(slices.Sorted(slices.Values(states[i].lines)), "\n"), k.String()); d != "" {
					t.Fatalf("order %v, %s (-want +got):\n%s", order, states[i].name, d)
				}
			}
		})
	}
}

func TestFaultyKernelEndsRight(t *testing.T) {
	for n := 3; n <= 9; n++ { // with 2, each pruning would fail: a pass lists, then prunes
		t.Run(fmt.Sprintf("each %d. operation fails", n), func(t *testing.T) {
			k := twin(t)
			k.Stale(dataplanetest.Remote(10200, mac2, vtep3))
			k.Fail(dataplanetest.EveryNth(n))
			in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
				r.Complete()
				order := rand.New(rand.NewPCG(uint64(n), 1)).Perm(len(states))
				for _, i := range order {
					goTo(r, states[i].entries) // without waiting: changes merge
				}
				time.Sleep(5 * time.Minute)
				want := slices.Sorted(slices.Values(states[order[len(order)-1]].lines))
				has(t, k, want...)
				for _, s := range r.Table() {
					if !s.InKernel || s.Err != "" {
						t.Errorf("status %+v", s)
					}
				}
				if r.Stats().Errors == 0 {
					t.Error("no error was counted")
				}
			})
		})
	}
}

// applied notes how many entries each Apply has.
type applied struct {
	dataplane.Kernel
	sizes []int
}

func (a *applied) Apply(ctx context.Context, set []dataplane.Entry, del []dataplane.Key) []error {
	a.sizes = append(a.sizes, len(set)+len(del))
	return a.Kernel.Apply(ctx, set, del)
}

// What is asked for between Hold and Release is written in one; what comes alone at once.
func TestHeldIsWrittenInOne(t *testing.T) {
	k := &applied{Kernel: twin(t)}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Set(remote)
		synctest.Wait()
		r.Hold()
		r.Set(other)
		synctest.Wait()
		r.Set(known)
		r.Unset(remote.Key)
		synctest.Wait()
		r.Release()
		synctest.Wait()
		r.Hold()
		r.Release() // of nothing
		synctest.Wait()
		r.Unset(other.Key)
		synctest.Wait()
		if want := []int{1, 3, 1}; !slices.Equal(k.sizes, want) {
			t.Errorf("writes of %v entries, want %v", k.sizes, want)
		}
		if got := len(results(r)); got != 3 { // by key: remote and other as they are last, and known
			t.Errorf("%d results", got)
		}
	})
}

// Very much is written in pieces, so that the results of one are there while the next is written; with a policy among it in one, whose order counts. What is
// asked for after Hold waits for Release, also while pieces of what was asked for before are written.
func TestVeryMuchIsWrittenInPieces(t *testing.T) {
	k := &applied{Kernel: twin(t)}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		const many = 5000
		flood := func(vtep netip.Addr) {
			for i := range many {
				r.Set(dataplanetest.Remote(10100, dataplane.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}, vtep))
			}
		}
		r.Hold()
		flood(vtep2)
		r.Release()
		r.Hold()
		r.Set(other)
		synctest.Wait()
		sum := 0
		for _, n := range k.sizes {
			sum += n
		}
		if len(k.sizes) < 3 || sum != many {
			t.Errorf("writes of %v entries, want several, of %d", k.sizes, many)
		}
		r.Release()
		if got := len(results(r)); got != many+1 {
			t.Errorf("%d results, want %d", got, many+1)
		}

		k.sizes = nil
		r.Hold()
		flood(vtep3)
		r.Set(dataplanetest.Policed(10100, mac2, "blue1", dataplanetest.Web()))
		r.Release()
		synctest.Wait()
		if want := []int{many + 1}; !slices.Equal(k.sizes, want) {
			t.Errorf("with a policy writes of %v entries, want %v", k.sizes, want)
		}
	})
}

// An entry that was removed is in no table, even if nobody takes its result, and what the kernel then has under its key is not taken for it.
func TestRemovedAndNotTaken(t *testing.T) {
	k := twin(t)
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		r.Set(remote)
		synctest.Wait()
		r.Unset(remote.Key)
		synctest.Wait()
		if got := r.Table(); len(got) != 0 {
			t.Errorf("the table still has %v", got)
		}
		k.Stale(remote) // as of a run before, and nothing is complete yet
		if set, removed, err := r.Resync(t.Context()); set+removed != 0 || err != nil {
			t.Errorf("a pass set %d and removed %d, %v", set, removed, err)
		}
		if !k.Holds(remote) {
			t.Error("what nobody asked for was removed before Complete")
		}
		g := r.Set(remote)
		if res := result(t, r); res.Generation != g || res.Removed || res.Err != nil {
			t.Errorf("%+v, want success of generation %d", res, g)
		}
	})
}
