package gobgp_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/link"
)

// source is what a mirror shows, and is told by.
type source struct {
	mirror *gobgp.Mirror
	busy   atomic.Bool // it says that it is never quiet

	mu       sync.Mutex
	routes   map[evpn.RouteKey]evpn.Route
	injected map[evpn.RouteKey][]byte
	resent   []netip.Addr
	up       []netip.Addr
}

func (s *source) Route(k evpn.RouteKey) (r evpn.Route, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok = s.routes[k]
	return r, ok
}

func (s *source) Keys() (keys []evpn.RouteKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.routes {
		keys = append(keys, k)
	}
	return keys
}

func (s *source) Inject(k evpn.RouteKey, update []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected[k] = update
}

func (s *source) Eject(k evpn.RouteKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.injected, k)
	return nil
}

func (s *source) Resend(peer netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent = append(s.resent, peer)
	return nil
}

func (s *source) Show(bool) {}

func (s *source) Up(context.Context) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.up), nil
}

func (s *source) Quiet() time.Duration {
	if s.busy.Load() {
		return 0
	}
	return time.Minute
}

func (s *source) announce(routes ...evpn.Route) {
	for _, r := range routes {
		s.mu.Lock()
		s.routes[r.RouteKey] = r
		s.mu.Unlock()
		s.mirror.Changed(r.RouteKey)
	}
}

func (s *source) withdraw(k evpn.RouteKey) {
	s.mu.Lock()
	delete(s.routes, k)
	s.mu.Unlock()
	s.mirror.Changed(k)
}

// has is what people have added, as peers are told of it.
func (s *source) has(t *testing.T) (routes []evpn.Route) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var d link.Decoder
	for _, update := range s.injected {
		said, err := d.Update(update)
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, said.Announced...)
	}
	return routes
}

// mirror runs one that listens at an address; it is opened if open is true.
func mirror(t *testing.T, c gobgp.Config) *source {
	t.Helper()
	s := &source{routes: make(map[evpn.RouteKey]evpn.Route), injected: make(map[evpn.RouteKey][]byte)}
	var err error
	if s.mirror, err = gobgp.NewMirror(c, s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if err := s.mirror.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.mirror.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// listed is what a table lists, by key.
func listed(t *testing.T, target string, r *api.ListPathRequest) (keys []string) {
	t.Helper()
	r.Family = evpnFamily
	r.EnableOnlyBinary = true
	stream, err := client(t, target).ListPath(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for {
		d, err := stream.Recv()
		if err != nil {
			slices.Sort(keys)
			return keys
		}
		for _, p := range d.GetDestination().GetPaths() {
			route, _, err := evpn.DecodeNLRI(p.NlriBinary)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, route.MAC.String())
		}
	}
}

// These are not in parallel: GoBGP sets a variable of the gRPC library when it starts, which a client of the tests would read meanwhile.

// A mirror shows people what is announced and what peers say; peers are told nothing by it, and nothing of each other.
func TestMirrorIsTheTableForPeople(t *testing.T) {
	a, b, b2 := address(), address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite = true
	c.Peers = append(c.Peers, anyone())
	s := mirror(t, c)
	s.announce(macRoute(1), macRoute(2))
	active, other := start(t, activeFrom(b, to(b, a))), start(t, activeFrom(b2, to(b2, a)))
	active.announce(t, macRoute(7))
	other.announce(t, macRoute(8))
	active.WaitUp(t, 0, a)
	other.WaitUp(t, 0, a)
	want := func(what string, r *api.ListPathRequest, macs ...byte) {
		t.Helper()
		var keys []string
		for _, n := range macs {
			keys = append(keys, macRoute(n).MAC.String())
		}
		eventually(t, what, func() bool { return cmp.Equal(listed(t, target, r), keys) })
	}
	adjIn := func(a netip.Addr) *api.ListPathRequest {
		return &api.ListPathRequest{TableType: api.TableType_ADJ_IN, Name: a.String()}
	}
	want("what one peer says", adjIn(b), 7)
	want("what the other says", adjIn(b2), 8)
	want("what is announced", &api.ListPathRequest{TableType: api.TableType_GLOBAL}, 1, 2)
	want("what a peer is sent", &api.ListPathRequest{TableType: api.TableType_ADJ_OUT, Name: b.String()}, 1, 2)
	if keys := listed(t, target, &api.ListPathRequest{TableType: api.TableType_LOCAL, Name: b.String()}); len(keys) != 0 {
		t.Errorf("the table of a client of the route server has %v", keys)
	}
	for _, read := range []struct{ args, want string }{
		{"global rib -a evpn", "02:00:00:00:00:02"},
		{"neighbor", b.String()},
		{"neighbor " + b.String(), "BGP state = ESTABLISHED"},
		{"neighbor " + b.String() + " adj-in -a evpn", "02:00:00:00:00:07"},
		{"neighbor " + b.String() + " adj-out -a evpn", "02:00:00:00:00:01"},
	} {
		out, err := cli(t, target, strings.Fields(read.args)...)
		if err != nil || !strings.Contains(out, read.want) {
			t.Errorf("gobgp %s: %v\n%s\nwant %q", read.args, err, out, read.want)
		}
	}
	if out, _ := cli(t, target, strings.Fields("neighbor 127.99.99.99 adj-out -a evpn")...); !strings.Contains(out, "not found") {
		t.Errorf("adj-out of nobody: %s", out)
	}
	s.withdraw(macRoute(1).RouteKey)
	want("what is left", &api.ListPathRequest{TableType: api.TableType_GLOBAL}, 2)
	// Whatever the peers are told has come before the answer to a reset.
	active.withdraw(t, macRoute(7).RouteKey)
	want("nothing of that peer", adjIn(b))
	for _, r := range []*running{active, other} {
		events, _ := r.Seen()
		for _, e := range events {
			if e.Kind == speaker.Announced || e.Kind == speaker.Withdrawn {
				t.Errorf("peer %v is told by the mirror: %+v", r.address, e)
			}
		}
	}
	// A soft reset is the source's to do.
	for _, words := range []string{"neighbor " + b.String() + " softresetout", "neighbor " + b.String() + " softresetin", "neighbor all softreset"} {
		if out, err := cli(t, target, strings.Fields(words)...); err != nil {
			t.Errorf("gobgp %s: %v\n%s", words, err, out)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.resent, []netip.Addr{b, {}}) {
		t.Errorf("told again: %v", s.resent)
	}
}

// The watches of the stock command see what happens.
func TestMirrorIsWatched(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.Peers = append(c.Peers, anyone())
	s := mirror(t, c)
	watch := func(filter api.WatchEventRequest_Table_Filter_Type) <-chan string {
		stream, err := client(t, target).WatchEvent(t.Context(), &api.WatchEventRequest{
			Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{{Type: filter, Init: true}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := make(chan string, 100)
		go func() {
			for {
				r, err := stream.Recv()
				if err != nil {
					return
				}
				for _, p := range r.GetTable().GetPaths() {
					seen <- p.String()
				}
			}
		}()
		return seen
	}
	wait := func(seen <-chan string, mac string) {
		t.Helper()
		for limit := time.After(patience); ; {
			select {
			case p := <-seen:
				if strings.Contains(p, mac) {
					return
				}
			case <-limit:
				t.Fatalf("the watch sees nothing of %s", mac)
			}
		}
	}
	said, best := watch(api.WatchEventRequest_Table_Filter_ADJIN), watch(api.WatchEventRequest_Table_Filter_BEST)
	active := start(t, activeFrom(b, to(b, a)))
	active.announce(t, macRoute(7))
	wait(said, macRoute(7).MAC.String())
	s.announce(macRoute(1))
	wait(best, macRoute(1).MAC.String())
}

// A peer that never comes to the table keeps nobody waiting for ever, also while another one says something all the time.
func TestMirrorDoesNotWaitForOneWhileOthersTalk(t *testing.T) {
	a, b, nobody := address(), address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.Patience = 300 * time.Millisecond
	c.Peers = append(c.Peers, anyone())
	s := mirror(t, c)
	talker := start(t, activeFrom(b, to(b, a)))
	talker.WaitUp(t, 0, a)
	s.mu.Lock()
	s.up = []netip.Addr{b, nobody}
	s.mu.Unlock()
	talk, quiet := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for r := macRoute(1); talk.Err() == nil; r.Label++ {
			if err := talker.Announce(r); err != nil {
				t.Error(err)
			}
			<-tick.C
		}
	}()
	defer func() { quiet(); <-done }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := client(t, target).GetBgp(ctx, &api.GetBgpRequest{}); err != nil {
		t.Error(err)
	}
}

// What people add is told to the peers, and so is that it is gone, however it goes.
func TestMirrorOfWhatPeopleAdd(t *testing.T) {
	a := address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite, c.NextHop = true, netip.MustParseAddr("198.51.100.9")
	c.Peers = append(c.Peers, anyone())
	s := mirror(t, c)
	s.announce(macRoute(1))
	add := func(n string) []byte {
		t.Helper()
		r, err := client(t, target).AddPath(t.Context(), &api.AddPathRequest{Path: apiPath("02:00:00:00:00:" + n)})
		if err != nil {
			t.Fatal(err)
		}
		return r.Uuid
	}
	remove := func(r *api.DeletePathRequest) {
		t.Helper()
		if _, err := client(t, target).DeletePath(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	add("07")
	if routes := s.has(t); len(routes) != 1 || routes[0].MAC[5] != 7 || !routes[0].NextHop.IsValid() {
		t.Fatalf("peers are told %+v", routes)
	}
	if out, err := cli(t, target, strings.Fields("global rib add -a evpn macadv 02:00:00:00:00:09 10.0.0.9 etag 3 label 10 rd 10.0.0.9:1 rt 65000:1")...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := false
	for _, r := range s.has(t) {
		if r.MAC[5] == 9 {
			found = true
			if r.NextHop != c.NextHop || r.Label != 10 || r.Tag != 3 || !r.HasRouteTarget(evpn.RouteTarget{0, 2, 0xfd, 0xe8, 0, 0, 0, 1}) || r.IP != netip.MustParseAddr("10.0.0.9") {
				t.Errorf("peers are told %+v", r)
			}
		}
	}
	if !found {
		t.Errorf("peers are not told of a route without next hop: %+v", s.has(t))
	}
	remove(&api.DeletePathRequest{Path: apiPath("02:00:00:00:00:07")})
	if routes := s.has(t); len(routes) != 1 || routes[0].MAC[5] != 9 {
		t.Errorf("after a deletion by route: %+v", routes)
	}
	remove(&api.DeletePathRequest{Uuid: add("0a")})
	if routes := s.has(t); len(routes) != 1 {
		t.Errorf("after a deletion by UUID: %+v", routes)
	}
	// Ours takes the place of a person's.
	ours := macRoute(9)
	ours.Tag = 3
	s.announce(ours)
	eventually(t, "the person's route is withdrawn", func() bool { return len(s.has(t)) == 0 })
	add("0b")
	remove(&api.DeletePathRequest{Family: evpnFamily})
	if routes := s.has(t); len(routes) != 0 {
		t.Errorf("after a deletion of everything: %+v", routes)
	}
	// And ours are put back.
	if missing, _, err := s.mirror.Check(); err != nil || len(missing) != 2 {
		t.Errorf("missing %v, %v", missing, err)
	}
	select {
	case <-s.mirror.OwnChanges():
	default:
		t.Error("the deletion is not signalled")
	}
	if n, err := s.mirror.Restore(); err != nil || n != 2 {
		t.Errorf("restored %d, %v", n, err)
	}
	if own, err := s.mirror.Own(); err != nil || len(own) != 2 {
		t.Errorf("own %v, %v", own, err)
	}
}

// What is not filled in yet is no change by someone else, and nobody is refused by it or allowed more.
func TestMirrorThatIsNotFilledYet(t *testing.T) {
	a := address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite = true
	s := mirror(t, c)
	s.announce(macRoute(1))
	eventually(t, "a first route is filled in", func() bool { return len(listed(t, target, &api.ListPathRequest{TableType: api.TableType_GLOBAL})) == 1 })
	s.busy.Store(true)
	s.announce(macRoute(2))
	s.withdraw(macRoute(1).RouteKey)
	if missing, foreign, err := s.mirror.Check(); err != nil || len(missing)+len(foreign) != 0 {
		t.Errorf("missing %v, foreign %v, %v", missing, foreign, err)
	}
	if own, err := s.mirror.Own(); err != nil || len(own) != 1 || own[0] != macRoute(2).RouteKey {
		t.Errorf("own %v, %v", own, err)
	}
	// A person who adds a route of ours is told so, and one who reads sees everything.
	s.announce(macRoute(3))
	path := apiPath("02:00:00:00:00:03")
	if _, err := client(t, target).AddPath(t.Context(), &api.AddPathRequest{Path: path}); err == nil {
		t.Error("a MAC of ours is added")
	}
	s.announce(macRoute(4))
	if keys := listed(t, target, &api.ListPathRequest{TableType: api.TableType_GLOBAL}); len(keys) != 3 {
		t.Errorf("a person reads %v", keys)
	}
}
