package speaker_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

var (
	peerA = netip.MustParseAddr("192.0.2.1")
	peerB = netip.MustParseAddr("192.0.2.2")
)

func key(n byte) evpn.RouteKey {
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, MAC: evpn.MAC{2, 0, 0, 0, 0, n}}
}

func announced(peer netip.Addr, epoch uint64, n byte, label evpn.VNI) speaker.Event {
	return speaker.Event{Kind: speaker.Announced, Peer: peer, Epoch: epoch, Route: evpn.Route{RouteKey: key(n), Label: label}}
}

func withdrawn(peer netip.Addr, epoch uint64, n byte) speaker.Event {
	return speaker.Event{Kind: speaker.Withdrawn, Peer: peer, Epoch: epoch, Key: key(n)}
}

func session(kind speaker.Kind, peer netip.Addr, epoch uint64) speaker.Event {
	return speaker.Event{Kind: kind, Peer: peer, Epoch: epoch}
}

// text is one event in short: kind, last octet of the peer, epoch, last octet of the MAC, label.
func text(e speaker.Event) string {
	peer := e.Peer.As4()[3]
	switch e.Kind {
	case speaker.SessionUp:
		return fmt.Sprintf("up %d/%d", peer, e.Epoch)
	case speaker.SessionDown:
		return fmt.Sprintf("down %d/%d", peer, e.Epoch)
	case speaker.Announced:
		return fmt.Sprintf("announced %d/%d %d=%d", peer, e.Epoch, e.Route.MAC[5], e.Route.Label)
	case speaker.Withdrawn:
		return fmt.Sprintf("withdrawn %d/%d %d", peer, e.Epoch, e.Key.MAC[5])
	case speaker.Refused:
		return fmt.Sprintf("refused %d/%d %d", peer, e.Epoch, e.Key.MAC[5])
	case speaker.EndOfRIB:
		return fmt.Sprintf("end %d/%d implied=%t", peer, e.Epoch, e.Implied)
	}
	return "?"
}

// taken is everything that the queue holds, in two goes.
func taken(t *testing.T, q *speaker.Queue) string {
	t.Helper()
	var lines []string
	for _, most := range []int{2, 1000} {
		select {
		case <-q.Ready():
		default:
			t.Error("the queue is not ready, and holds something")
		}
		events, open := q.Take(nil, most)
		if !open || len(events) > most {
			t.Errorf("took %d of at most %d, open is %t", len(events), most, open)
		}
		for _, e := range events {
			lines = append(lines, text(e))
		}
		if q.Len() == 0 {
			break
		}
	}
	return strings.Join(lines, ", ")
}

// read drains everything that the queue holds.
func read(t *testing.T, q *speaker.Queue) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := make(chan speaker.Event)
	done := make(chan struct{})
	n := q.Len()
	go func() { defer close(done); _ = q.Drain(ctx, out) }()
	var lines []string
	for range n {
		lines = append(lines, text(<-out))
	}
	cancel()
	<-done
	return strings.Join(lines, ", ")
}

func TestQueue(t *testing.T) {
	implied := session(speaker.EndOfRIB, peerA, 1)
	implied.Implied = true
	for _, test := range []struct {
		name string
		put  []speaker.Event
		want string
	}{
		{"events keep their order",
			[]speaker.Event{session(speaker.SessionUp, peerA, 1), announced(peerA, 1, 1, 7), session(speaker.EndOfRIB, peerA, 1)},
			"up 1/1, announced 1/1 1=7, end 1/1 implied=false"},
		{"two announcements of one route are the newest, in the place of the first",
			[]speaker.Event{announced(peerA, 1, 1, 7), announced(peerA, 1, 2, 7), announced(peerA, 1, 1, 8)},
			"announced 1/1 1=8, announced 1/1 2=7"},
		{"an announcement and its withdrawal are the withdrawal",
			[]speaker.Event{announced(peerA, 1, 1, 7), withdrawn(peerA, 1, 1)},
			"withdrawn 1/1 1"},
		{"a refusal after an announcement is the refusal",
			[]speaker.Event{announced(peerA, 1, 1, 7), {Kind: speaker.Refused, Peer: peerA, Epoch: 1, Key: key(1)}},
			"refused 1/1 1"},
		{"two peers do not merge",
			[]speaker.Event{announced(peerA, 1, 1, 7), announced(peerB, 1, 1, 8), withdrawn(peerA, 1, 1)},
			"withdrawn 1/1 1, announced 2/1 1=8"},
		{"what comes after End-of-RIB merges into what came before it",
			[]speaker.Event{announced(peerA, 1, 1, 7), session(speaker.EndOfRIB, peerA, 1), announced(peerA, 1, 1, 8)},
			"announced 1/1 1=8, end 1/1 implied=false"},
		{"a real End-of-RIB wins over an implied one",
			[]speaker.Event{implied, session(speaker.EndOfRIB, peerA, 1)},
			"end 1/1 implied=false"},
		{"an implied End-of-RIB does not hide a real one",
			[]speaker.Event{session(speaker.EndOfRIB, peerA, 1), implied},
			"end 1/1 implied=false"},
		{"a lost session drops the peer's routes and End-of-RIB, no other peer's",
			[]speaker.Event{session(speaker.SessionUp, peerA, 1), announced(peerA, 1, 1, 7), announced(peerB, 1, 1, 8),
				session(speaker.EndOfRIB, peerA, 1), session(speaker.SessionDown, peerA, 1)},
			"up 1/1, announced 2/1 1=8, down 1/1"},
		{"the next session's routes come after its start",
			[]speaker.Event{session(speaker.SessionDown, peerA, 1), session(speaker.SessionUp, peerA, 2), announced(peerA, 2, 1, 7)},
			"down 1/1, up 1/2, announced 1/2 1=7"},
		{"of sessions that came and went unread the last is kept",
			[]speaker.Event{session(speaker.SessionDown, peerA, 1),
				session(speaker.SessionUp, peerA, 2), session(speaker.SessionDown, peerA, 2),
				session(speaker.SessionUp, peerA, 3), session(speaker.SessionDown, peerA, 3),
				session(speaker.SessionUp, peerA, 4), session(speaker.SessionDown, peerA, 4),
				session(speaker.SessionUp, peerA, 5)},
			"down 1/1, up 1/4, down 1/4, up 1/5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, all := range []func(*testing.T, *speaker.Queue) string{read, taken} {
				q := speaker.NewQueue()
				for range 2 { // what was taken leaves nothing behind
					for _, e := range test.put {
						q.Put(e)
					}
					if got := all(t, q); got != test.want {
						t.Errorf("got  %s\nwant %s", got, test.want)
					}
					if n := q.Len(); n != 0 {
						t.Errorf("%d events are left", n)
					}
				}
			}
		})
	}
}

// While the reader does not read, the first event can still become newer.
func TestQueueMergesTheEventThatWaitsForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q, out := speaker.NewQueue(), make(chan speaker.Event)
		go func() { _ = q.Drain(ctx, out) }()
		q.Put(announced(peerA, 1, 1, 7))
		synctest.Wait()
		q.Put(announced(peerA, 1, 1, 8))
		synctest.Wait()
		if got, want := text(<-out), "announced 1/1 1=8"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		synctest.Wait()
		if n := q.Len(); n != 0 {
			t.Errorf("%d events are left", n)
		}
		cancel()
	})
}

func TestQueueDrainEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := speaker.NewQueue().Drain(ctx, nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// What was read before an event's Since comes before it, also when the event has become newer while it waited.
func TestQueueTellsSinceWhenAnEventWaits(t *testing.T) {
	q, began := speaker.NewQueue(), time.Unix(1, 0)
	for i, n := range []byte{1, 2, 1, 3, 2} {
		e := announced(peerA, 1, n, evpn.VNI(i))
		e.At = began.Add(time.Duration(i) * time.Second)
		q.Put(e)
	}
	events, _ := q.Take(nil, 10)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%d at %d since %d", e.Route.MAC[5], e.At.Unix()-1, e.Since.Unix()-1))
	}
	if want := "1 at 2 since 0, 2 at 4 since 1, 3 at 3 since 3"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestQueueThatIsClosedIsReadToItsEnd(t *testing.T) {
	q := speaker.NewQueue()
	q.Put(announced(peerA, 1, 1, 7))
	<-q.Ready()
	q.Close()
	<-q.Ready()
	if events, open := q.Take(nil, 0); len(events) != 0 || !open {
		t.Errorf("took %d, open is %t: one is left", len(events), open)
	}
	if events, _ := q.Take(nil, 10); len(events) != 1 {
		t.Errorf("took %d events", len(events))
	}
	if events, open := q.Take(nil, 10); len(events) != 0 || open {
		t.Errorf("took %d, open is %t: nothing is left", len(events), open)
	}
}

// view is what a receiver that follows the rules of Event knows of one peer.
type view struct {
	epoch  uint64
	up     bool
	routes map[evpn.RouteKey]evpn.VNI
}

func (v *view) apply(e speaker.Event) {
	switch e.Kind {
	case speaker.SessionUp:
		v.epoch, v.up, v.routes = e.Epoch, true, make(map[evpn.RouteKey]evpn.VNI)
	case speaker.SessionDown:
		v.epoch, v.up, v.routes = e.Epoch, false, nil
	case speaker.Announced:
		v.routes[e.Route.RouteKey] = e.Route.Label
	case speaker.Withdrawn:
		delete(v.routes, e.Key)
	}
}

// Whoever reads late knows at the end what one knows who reads every event at once, and the queue stays short.
func TestQueueMergingLosesNoState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := speaker.NewQueue()
		var direct, merged view
		var epoch uint64
		steps := rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "steps")
		for i, step := range steps {
			var e speaker.Event
			switch {
			case !direct.up:
				epoch++
				e = session(speaker.SessionUp, peerA, epoch)
			case step == 0:
				e = session(speaker.SessionDown, peerA, epoch)
			case step < 6:
				e = announced(peerA, epoch, byte(step%3), evpn.VNI(i))
			case step < 9:
				e = withdrawn(peerA, epoch, byte(step%3))
			default:
				e = session(speaker.EndOfRIB, peerA, epoch)
			}
			direct.apply(e)
			q.Put(e)
			if n := q.Len(); n > 3+1+1+4 {
				t.Fatalf("the queue holds %d events", n)
			}
		}
		events, _ := q.Take(nil, 1000)
		for _, e := range events {
			merged.apply(e)
		}
		if direct.epoch != merged.epoch || direct.up != merged.up || fmt.Sprint(direct.routes) != fmt.Sprint(merged.routes) {
			t.Fatalf("read at once %+v, read late %+v", direct, merged)
		}
	})
}

// BenchmarkQueue is events of a hundred peers, so many at a time, put and taken.
func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{1, 256, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			events := make([]speaker.Event, n)
			for i := range events {
				k := key(byte(i))
				k.MAC[3], k.MAC[4] = byte(i>>16), byte(i>>8)
				events[i] = speaker.Event{Kind: speaker.Announced, Epoch: 1, Peer: netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 100)}), Route: evpn.Route{RouteKey: k}}
			}
			q, into := speaker.NewQueue(), make([]speaker.Event, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				for _, e := range events {
					q.Put(e)
				}
				for range (n + 255) / 256 {
					into, _ = q.Take(into[:0], 256)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}
