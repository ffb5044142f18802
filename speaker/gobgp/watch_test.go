package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tns-project/tns/speaker"
)

// peerEvent is a session's state as GoBGP reports it.
func peerEvent(typ api.WatchEventResponse_PeerEvent_Type, addr string, state api.PeerState_SessionState, admin api.PeerState_AdminState) *api.WatchEventResponse {
	return &api.WatchEventResponse{Event: &api.WatchEventResponse_Peer{Peer: &api.WatchEventResponse_PeerEvent{
		Type: typ,
		Peer: &api.Peer{State: &api.PeerState{NeighborAddress: addr, SessionState: state, AdminState: admin, RouterId: "192.0.2.9", PeerAsn: 65000}},
	}}}
}

func pathEvent(paths ...*api.Path) *api.WatchEventResponse {
	return &api.WatchEventResponse{Event: &api.WatchEventResponse_Table{Table: &api.WatchEventResponse_TableEvent{Paths: paths}}}
}

const (
	stateEvent   = api.WatchEventResponse_PeerEvent_STATE
	deletedEvent = api.WatchEventResponse_PeerEvent_UNKNOWN
	established  = api.PeerState_ESTABLISHED
	idle         = api.PeerState_IDLE
)

// watched is a watch that notes what it puts, and for whom it would connect anew.
func watched() (w *watch, events *[]speaker.Event, lost chan netip.Addr) {
	events, lost = new([]speaker.Event), make(chan netip.Addr, 10)
	w = newWatch(func(e speaker.Event) { *events = append(*events, e) }, new(counters), 30*time.Second)
	w.settle = w.end
	w.lost = func(a netip.Addr) { lost <- a }
	return w, events, lost
}

func kinds(events []speaker.Event) (kinds []speaker.Kind, epochs []uint64) {
	for _, e := range events {
		kinds, epochs = append(kinds, e.Kind), append(epochs, e.Epoch)
	}
	return kinds, epochs
}

func TestWatchFollowsSessions(t *testing.T) {
	const a = "192.0.2.9"
	end := &api.Path{NeighborIp: a, Family: familyEVPN}
	for _, test := range []struct {
		name   string
		events []*api.WatchEventResponse
		want   []speaker.Kind
		epochs []uint64
		lost   int
	}{
		{"a session that comes and goes",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), peerEvent(stateEvent, a, idle, 0), peerEvent(stateEvent, a, established, 0)},
			[]speaker.Kind{speaker.SessionUp, speaker.SessionDown, speaker.SessionUp}, []uint64{1, 1, 2}, 1},
		{"a deleted peer is down, whatever its event is called",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), peerEvent(deletedEvent, a, idle, 0)},
			[]speaker.Kind{speaker.SessionUp, speaker.SessionDown}, []uint64{1, 1}, 1},
		{"states on the way up are none of our events",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, idle, 0), peerEvent(stateEvent, a, api.PeerState_ACTIVE, 0), peerEvent(stateEvent, a, api.PeerState_OPENSENT, 0)},
			nil, nil, 0},
		{"up twice is another session",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), peerEvent(stateEvent, a, established, 0)},
			[]speaker.Kind{speaker.SessionUp, speaker.SessionDown, speaker.SessionUp}, []uint64{1, 1, 2}, 0},
		{"a peer that was stopped by hand is left alone",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), peerEvent(stateEvent, a, idle, api.PeerState_DOWN)},
			[]speaker.Kind{speaker.SessionUp, speaker.SessionDown}, []uint64{1, 1}, 0},
		{"the mark after the first peers has no address",
			[]*api.WatchEventResponse{peerEvent(api.WatchEventResponse_PeerEvent_END_OF_INIT, "<nil>", api.PeerState_UNKNOWN, 0)}, nil, nil, 0},
		{"empty lists of paths are normal",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), pathEvent(), pathEvent()},
			[]speaker.Kind{speaker.SessionUp}, []uint64{1}, 0},
		{"a path of a peer that is not up is none",
			[]*api.WatchEventResponse{pathEvent(end)}, nil, nil, 0},
		{"a path without peer is our own",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), pathEvent(&api.Path{NeighborIp: "<nil>", Family: familyEVPN})},
			[]speaker.Kind{speaker.SessionUp}, []uint64{1}, 0},
		{"End-of-RIB is reported once a session",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), pathEvent(end), pathEvent(end)},
			[]speaker.Kind{speaker.SessionUp, speaker.EndOfRIB}, []uint64{1, 1}, 0},
		{"End-of-RIB of memberships is not that of routes",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), pathEvent(&api.Path{NeighborIp: a, Family: familyRTC})},
			[]speaker.Kind{speaker.SessionUp}, []uint64{1}, 0},
		{"a route that GoBGP could not write is refused, and no End-of-RIB",
			[]*api.WatchEventResponse{peerEvent(stateEvent, a, established, 0), pathEvent(&api.Path{NeighborIp: a, Family: familyEVPN, Validation: &api.Validation{}})},
			[]speaker.Kind{speaker.SessionUp, speaker.Refused}, []uint64{1, 1}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, events, lost := watched()
				for _, e := range test.events {
					w.event(e)
					synctest.Wait()
				}
				w.stop()
				got, epochs := kinds(*events)
				if len(got) != len(test.want) {
					t.Fatalf("kinds %v, want %v", got, test.want)
				}
				for i := range got {
					if got[i] != test.want[i] || epochs[i] != test.epochs[i] {
						t.Errorf("kinds %v of epochs %v, want %v of %v", got, epochs, test.want, test.epochs)
					}
				}
				if len(lost) != test.lost {
					t.Errorf("connects anew %d times, want %d", len(lost), test.lost)
				}
			})
		})
	}
}

// GoBGP tells in whole seconds when it read a path.
func TestWatchTellsHowLateItIs(t *testing.T) {
	now := time.Unix(1000, 500e6)
	up := now.Add(-20 * time.Second)
	for _, test := range []struct {
		name string
		read time.Time
		want time.Duration
	}{
		{"in this second", time.Unix(1000, 0), 0},
		{"in the last one, perhaps at its end", time.Unix(999, 0), 500 * time.Millisecond},
		{"long ago", time.Unix(996, 0), 3500 * time.Millisecond},
		{"longer ago than anything waits", time.Unix(985, 0), longestLate},
		{"in a session before, so the path is what it was", time.Unix(970, 0), 0},
		{"in the future, the clock was set", time.Unix(1100, 0), 0},
	} {
		if got := (&peerWatch{since: up}).late(now, &api.Path{Age: timestamppb.New(test.read)}); got != test.want {
			t.Errorf("read %s: %v late, want %v", test.name, got, test.want)
		}
	}
	if got := (&peerWatch{since: up}).late(now, &api.Path{}); got != 0 {
		t.Errorf("who does not know is %v late", got)
	}
}

// A path that is what it was before keeps its time, of which what was read since tells; else a peer that says one thing again and again would have the
// edge take its speaker for late.
func TestWatchTakesNoRepetitionForLate(t *testing.T) {
	began := time.Unix(1000, 0)
	read := func(s int) *api.Path {
		return &api.Path{Age: timestamppb.New(began.Add(time.Duration(s) * time.Second))}
	}
	v := &peerWatch{since: began}
	for _, step := range []struct {
		now, read int
		want      time.Duration
	}{
		{10, 1, 5 * time.Second}, // late
		{10, 8, time.Second},
		{10, 8, time.Second}, // another of that second
		{10, 90, 0},          // the clock was set, and is right again
		{11, 1, 0},           // the first again
		{12, 9, 2 * time.Second},
	} {
		if got := v.late(began.Add(time.Duration(step.now)*time.Second), read(step.read)); got != step.want {
			t.Errorf("read at %d s, told at %d s: %v late, want %v", step.read, step.now, got, step.want)
		}
	}
}

// The timer starts with the session; a real End-of-RIB after it is reported too, a lost session ends it.
func TestWatchImpliesEndOfRIB(t *testing.T) {
	const a = "192.0.2.9"
	end := &api.Path{NeighborIp: a, Family: familyEVPN}
	synctest.Test(t, func(t *testing.T) {
		w, events, _ := watched()
		began := time.Now()
		w.event(peerEvent(stateEvent, a, established, 0))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		w.event(pathEvent(end))
		synctest.Wait()
		got := *events
		if len(got) != 3 || got[1].Kind != speaker.EndOfRIB || !got[1].Implied || got[1].At.Sub(began) != 30*time.Second ||
			got[2].Kind != speaker.EndOfRIB || got[2].Implied {
			t.Fatalf("%+v", got)
		}
		w.event(peerEvent(stateEvent, a, idle, 0))
		w.event(peerEvent(stateEvent, a, established, 0))
		w.event(peerEvent(stateEvent, a, idle, 0))
		time.Sleep(time.Hour)
		synctest.Wait()
		if last := (*events)[len(*events)-1]; last.Kind != speaker.SessionDown || last.Epoch != 2 {
			t.Errorf("%+v", last)
		}
		w.stop()
	})
}

// GoBGP tells only its log why a session ended.
func TestWatchTellsWhyASessionEnded(t *testing.T) {
	const a = "192.0.2.9"
	w, events, _ := watched()
	w.event(peerEvent(stateEvent, a, established, 0))
	w.log("Peer Down", gobgplog.Fields{"Topic": "Peer", "Key": a, "Reason": "hold-timer-expired"})
	w.event(peerEvent(stateEvent, a, idle, 0))
	if got := (*events)[1]; got.Text != "hold-timer-expired" {
		t.Errorf("%+v", got)
	}
}

// What GoBGP calls fatal becomes Run's error, and the process goes on.
func TestFatalIsAnError(t *testing.T) {
	s, err := New(Config{RouterID: 0xc0000201, AS: 65000, ListenPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	log := newLogger(s.config.Log, nil, s.watch.log, s.fail)
	cause := errors.New("address already in use")
	log.Fatal("failed to listen grpc port", gobgplog.Fields{"Err": cause})
	log.Fatal("unknown msg type", gobgplog.Fields{"Topic": "Peer"}) // the first one counts
	if err := s.Run(t.Context()); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// A listener without the password must not stay open.
func TestPasswordThatIsNotSetIsFatal(t *testing.T) {
	s, err := New(Config{RouterID: 0xc0000201, AS: 65000, ListenPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	newLogger(s.config.Log, nil, s.heard, s.fail).Warn("failed to set md5", gobgplog.Fields{"Topic": "Peer", "Key": "192.0.2.9", "Err": errors.New("not supported")})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "password of peer 192.0.2.9: not supported") {
		t.Errorf("got %v", err)
	}
}

// stuck is the stream of a client that does not read.
type stuck struct {
	grpc.ServerStream
	end context.Context
}

func (s stuck) Context() context.Context { return s.end }
func (s stuck) SendMsg(any) error        { <-s.end.Done(); return s.end.Err() }

func TestWatcherThatDoesNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end, finish := context.WithCancel(context.Background())
		g := &gate{}
		sent := make(chan error, 1)
		began := time.Now()
		err := g.stream(nil, stuck{end: end}, &grpc.StreamServerInfo{FullMethod: "/apipb.GobgpApi/WatchEvent"}, func(_ any, s grpc.ServerStream) error {
			go func() { sent <- s.SendMsg(nil) }()
			<-s.Context().Done()
			return nil
		})
		if took := time.Since(began); err != nil || took != sendPatience {
			t.Errorf("cut off after %v, %v", took, err)
		}
		finish() // as gRPC does when the handler returns
		if err := <-sent; err == nil {
			t.Error("sent")
		}
	})
}

func TestLogIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, hook := logtest.NewNullLogger()
		base.SetLevel(logrus.InfoLevel)
		var heard []string
		log := newLogger(base.WithField("speaker", "fabric"), nil, func(msg string, _ gobgplog.Fields) { heard = append(heard, msg) }, func(error) {})
		log.Info("Peer Up", gobgplog.Fields{"Topic": "Peer", "Key": "192.0.2.9", "State": "ESTABLISHED"})
		log.Debug("not at this level", nil)
		for range 5 {
			log.Warn("No matching path for withdraw found", gobgplog.Fields{"Topic": "Table", "Key": "x", "Error": errors.New("none")})
		}
		time.Sleep(noisePeriod)
		log.Warn("No matching path for withdraw found", nil)
		entries := hook.AllEntries()
		if len(entries) != 3 || len(heard) != 7 {
			t.Fatalf("%d lines, %d heard", len(entries), len(heard))
		}
		if e := entries[0]; e.Data["peer"] != "192.0.2.9" || e.Data["state"] != "ESTABLISHED" || e.Data["speaker"] != "fabric" || e.Data["topic"] != nil {
			t.Errorf("%+v", e.Data)
		}
		if e := entries[1]; e.Level != logrus.WarnLevel || e.Data["key"] != "x" || e.Data["error"] == nil {
			t.Errorf("%+v", e)
		}
		if e := entries[2]; e.Data["suppressed"] != 4 {
			t.Errorf("%+v", e.Data)
		}
		if log.GetLevel() != gobgplog.InfoLevel {
			t.Errorf("level %v", log.GetLevel())
		}
		log.SetLevel(gobgplog.DebugLevel)
		if base.GetLevel() != logrus.InfoLevel {
			t.Error("GoBGP changed the daemon's level")
		}
	})
}

// Behind a guard, lines name the real peer, and what the guard tells of its sessions, too, is for debugging; so is all that comes of our own stop.
func TestLogBehindGuard(t *testing.T) {
	base, hook := logtest.NewNullLogger()
	base.SetLevel(logrus.DebugLevel)
	names := NewNames()
	names.Set(netip.MustParseAddr("127.64.0.9"), netip.MustParseAddr("192.0.2.9"))
	log := newLogger(logrus.NewEntry(base), names, func(string, gobgplog.Fields) {}, func(error) {})
	peer := gobgplog.Fields{"Topic": "Peer", "Key": "127.64.0.9", "Data": "as it is"}
	for _, test := range []struct {
		say   func()
		level logrus.Level
	}{
		{func() { log.Info("Peer Up", peer) }, logrus.DebugLevel},
		{func() { log.Warn("received notification", peer) }, logrus.DebugLevel},
		{func() { log.Info("Peer Down", peer) }, logrus.InfoLevel},
		{func() { log.Warn("sent notification", peer) }, logrus.WarnLevel},
		{func() { log.stopping.Store(true); log.Warn("sent notification", peer) }, logrus.DebugLevel},
		{func() { log.Info("Peer Down", peer) }, logrus.DebugLevel},
		{func() { log.Error("failed", peer) }, logrus.ErrorLevel},
		{func() { log.Debug("anything", peer) }, logrus.DebugLevel},
	} {
		test.say()
		if e := hook.LastEntry(); e.Level != test.level || e.Data["peer"] != "192.0.2.9" || e.Data["data"] != "as it is" {
			t.Errorf("%v %q %v, want level %v", e.Level, e.Message, e.Data, test.level)
		}
	}
	unnamed := newLogger(logrus.NewEntry(base), nil, func(string, gobgplog.Fields) {}, func(error) {})
	if unnamed.Warn("received notification", peer); hook.LastEntry().Level != logrus.WarnLevel || hook.LastEntry().Data["peer"] != "127.64.0.9" {
		t.Errorf("without a guard: %+v", hook.LastEntry())
	}
}

// GoBGP's conversions index into what peers sent.
func TestDecodeSurvivesNonsense(t *testing.T) {
	for name, p := range map[string]*api.Path{
		"nothing":     {},
		"no content":  {Nlri: anyOf(t, &api.EVPNMACIPAdvertisementRoute{})},
		"ESI cut off": {Nlri: anyOf(t, &api.EVPNMACIPAdvertisementRoute{Rd: anyOf(t, &api.RouteDistinguisherTwoOctetASN{}), Esi: &api.EthernetSegmentIdentifier{Value: []byte{1}}})},
	} {
		if r, err := decode(p); err == nil {
			t.Errorf("%s: no error, %+v", name, r)
		}
	}
	if _, err := decode(&api.Path{Nlri: anyOf(t, &api.EVPNEthernetSegmentRoute{})}); !errors.Is(err, errOtherType) {
		t.Errorf("got %v", err)
	}
	nlri := anyOf(t, &api.EVPNMACIPAdvertisementRoute{
		Rd: anyOf(t, &api.RouteDistinguisherTwoOctetASN{}), Esi: &api.EthernetSegmentIdentifier{Value: make([]byte, 9)},
		MacAddress: "02:00:00:00:00:01", IpAddress: "<nil>", Labels: []uint32{1},
	})
	r, err := decode(&api.Path{Nlri: nlri})
	if err == nil || !strings.Contains(err.Error(), "next hop") || r.MAC[5] != 1 || r.IP.IsValid() || r.Label != 0 {
		t.Errorf("a route without next hop: %+v, %v", r, err)
	}
}

func anyOf(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
