package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/tns-project/tns/evpn"
)

// shownSource announces some routes, and notes when it is to be shown.
type shownSource struct {
	busySource
	mu    sync.Mutex
	shown []bool
	keys  []evpn.RouteKey
	up    []netip.Addr
	err   error
	deaf  bool // Up has no answer
}

func (s *shownSource) Show(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = append(s.shown, on)
}

func (s *shownSource) Keys() []evpn.RouteKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

func (s *shownSource) Up(ctx context.Context) ([]netip.Addr, error) {
	if s.deaf {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.up), s.err
}

// was is what Show was called with so far.
func (s *shownSource) was() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shown)
}

func key(n byte) evpn.RouteKey {
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(1, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}}
}

// demanded makes a mirror without a GoBGP, whose table is what was filled in.
func demanded(t *testing.T) (*Mirror, *shownSource, *logtest.Hook) {
	t.Helper()
	log, lines := logtest.NewNullLogger()
	s := &shownSource{keys: []evpn.RouteKey{key(1), key(2)}}
	s.quiet.Store(int64(time.Minute))
	m, err := NewMirror(Config{AS: 65000, RouterID: 0xc0000201, ListenPort: -1, Log: logrus.NewEntry(log)}, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go m.fill(ctx)
	t.Cleanup(func() { m.demand.stop(); cancel() })
	return m, s, lines
}

// The table is filled from a first request until nobody has asked for a while, no watch stands, and nothing is there that people have added.
func TestTableIsFilledWhileSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, _ := demanded(t)
		want := func(when string, filled int, shown ...bool) {
			t.Helper()
			synctest.Wait()
			if n := len(m.table.snapshot()); n != filled || !slices.Equal(s.was(), shown) {
				t.Errorf("%s: %d routes are filled in, want %d; shown: %v, want %v", when, n, filled, s.was(), shown)
			}
		}
		ask := func() (done func()) {
			t.Helper()
			done, err := m.asked(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		m.Changed(key(1))
		want("nobody asks", 0)
		if own, err := m.Own(); err != nil || len(own) != 2 {
			t.Errorf("own %v, %v", own, err)
		}
		time.Sleep(2 * defaultIdleTime)
		want("nobody asks", 0)
		done := ask()
		if n := len(m.table.snapshot()); n != 2 {
			t.Errorf("at a first request %d routes are filled in", n)
		}
		time.Sleep(2 * defaultIdleTime)
		want("a watch stands", 2, true)
		m.Changed(key(3))
		want("a route comes", 3, true)
		other := ask()
		other()
		time.Sleep(2 * defaultIdleTime)
		want("a watch stands, another request has ended", 3, true)
		done()
		time.Sleep(defaultIdleTime - time.Second)
		want("not for long", 3, true)
		ask()()
		time.Sleep(defaultIdleTime - time.Second)
		want("not for long", 3, true)
		time.Sleep(time.Second)
		want("nobody has asked", 0, true, false)
		m.Changed(key(3))
		want("a route comes", 0, true, false)
		ask()()
		want("somebody asks again", 2, true, false, true)
		people := func(change func()) {
			m.table.mu.Lock()
			defer m.table.mu.Unlock()
			change()
		}
		people(func() { m.table.foreign[key(9)] = true })
		time.Sleep(3 * defaultIdleTime)
		want("people have added something", 2, true, false, true)
		people(func() { delete(m.table.foreign, key(9)) })
		time.Sleep(defaultIdleTime)
		want("it is gone", 0, true, false, true, false)
	})
}

// A request waits for the peers whose sessions stand, for nobody who goes, not beyond its own time, and not where nothing goes on.
func TestRequestWaitsForPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, lines := demanded(t)
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		s.up = []netip.Addr{a, b}
		m.names.Set(netip.MustParseAddr("127.64.0.1"), a)
		there := func(inner string, ended bool) {
			m.watch.mu.Lock()
			v := m.watch.peer(netip.MustParseAddr(inner))
			v.up, v.ended = true, ended
			m.watch.mu.Unlock()
			m.demand.stir()
		}
		answered := make(chan error, 1)
		ask := func(ctx context.Context) {
			go func() {
				done, err := m.asked(ctx)
				if err == nil {
					done()
				}
				answered <- err
			}()
			synctest.Wait()
		}
		waits := func(when string) {
			t.Helper()
			synctest.Wait()
			select {
			case err := <-answered:
				t.Errorf("%s: answered, %v", when, err)
			default:
			}
		}
		ask(t.Context())
		waits("nobody is there")
		there("127.64.0.1", false)
		waits("one is there")
		there("127.64.0.1", true)
		waits("one is whole")
		there("127.64.0.2", true)
		waits("the other is there, and nobody knows whose session it is")
		m.names.Set(netip.MustParseAddr("127.64.0.2"), b)
		m.demand.stir()
		if err := <-answered; err != nil {
			t.Error(err)
		}
		ask(t.Context())
		if err := <-answered; err != nil {
			t.Error("all are there:", err)
		}

		c := netip.MustParseAddr("192.0.2.3")
		s.up = append(s.up, c)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(short)
		if err := <-answered; err == nil {
			t.Error("a request is answered after its time")
		}
		ask(t.Context())
		time.Sleep(time.Second)
		waits("another peer is there")
		s.mu.Lock()
		s.up = s.up[:2]
		s.mu.Unlock()
		time.Sleep(time.Second)
		if err := <-answered; err != nil {
			t.Error("the peer is gone:", err)
		}

		s.mu.Lock()
		s.up = append(s.up, c)
		s.mu.Unlock()
		began := time.Now()
		ask(t.Context())
		if err := <-answered; err != nil || time.Since(began) < defaultPatience || time.Since(began) > 2*defaultPatience {
			t.Errorf("answered after %v, %v", time.Since(began), err)
		}
		began = time.Now()
		ask(t.Context())
		if err := <-answered; err != nil || time.Since(began) > 0 {
			t.Errorf("the next is answered after %v, %v: nobody waits in vain twice", time.Since(began), err)
		}
		s.mu.Lock()
		s.up, s.err = s.up[:2], errors.New("the guard is away")
		s.mu.Unlock()
		ask(t.Context())
		if err := <-answered; err != nil {
			t.Error(err)
		}
		warned := 0
		for _, e := range lines.AllEntries() {
			if e.Level <= logrus.WarnLevel {
				warned++
			}
		}
		if warned != 1 {
			t.Errorf("%d lines say so, want one", warned)
		}
	})
}

// Who asks while the sessions of before are about to end waits for those that come after them.
func TestRequestAfterARestWaitsForSessionsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, _ := demanded(t)
		s.up = []netip.Addr{netip.MustParseAddr("127.64.0.1")}
		session := func(stands bool) {
			m.watch.mu.Lock()
			v := m.watch.peer(s.up[0])
			v.up, v.ended = stands, stands
			m.watch.mu.Unlock()
			m.demand.stir()
			synctest.Wait()
		}
		ask := func() <-chan error {
			answered := make(chan error, 1)
			go func() {
				done, err := m.asked(t.Context())
				if err == nil {
					done()
				}
				answered <- err
			}()
			synctest.Wait()
			return answered
		}
		session(true)
		if err := <-ask(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(defaultIdleTime)
		synctest.Wait()
		if shown := s.was(); !slices.Equal(shown, []bool{true, false}) {
			t.Fatalf("shown: %v", shown)
		}
		answered := ask()
		session(false)
		if shown := s.was(); !slices.Equal(shown, []bool{true, false, true}) {
			t.Errorf("shown: %v", shown)
		}
		select {
		case err := <-answered:
			t.Fatalf("answered by the session of before, %v", err)
		default:
		}
		session(true)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		// A guard that does not end them keeps nobody waiting for long.
		time.Sleep(defaultIdleTime)
		synctest.Wait()
		answered = ask()
		time.Sleep(2 * defaultPatience)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		session(false)
	})
}

// A guard that does not answer keeps nobody waiting for ever.
func TestRequestDoesNotWaitForADeafGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, _ := demanded(t)
		s.deaf = true
		ctx, cancel := context.WithTimeout(t.Context(), 5*defaultPatience)
		defer cancel()
		done, err := m.asked(ctx)
		if err != nil {
			t.Fatal(err)
		}
		done()
	})
}
