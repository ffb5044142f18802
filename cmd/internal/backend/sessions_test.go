package backend

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
)

// guarded is a speaker and a guard that tell what they are given.
type guarded struct {
	sessions             []speaker.Session
	peers                []guard.Status
	sessionsErr, peerErr error
}

func (g guarded) Sessions() ([]speaker.Session, error) { return g.sessions, g.sessionsErr }

func (g guarded) Peers(context.Context) ([]guard.Status, guard.Totals, error) {
	return g.peers, guard.Totals{}, g.peerErr
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		one, two, three := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")
		id, err := evpn.ParseRouterID("192.0.2.9")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Sessions(t.Context(), "fabric", guarded{
			sessions: []speaker.Session{
				{Peer: one, LocalAddress: three, AS: 65001, RouterID: id, State: "active", Since: now.Add(-time.Second), Description: "spine", Received: 5, Sent: 6, Routes: 7},
				{Peer: two, AS: 65002, State: "idle", Since: now.Add(-3 * time.Second), Dynamic: true},
				{Peer: three, State: "connect"},
			},
			peers: []guard.Status{ // in another order, with another peer among them
				{Peer: netip.MustParseAddr("192.0.2.7"), State: guard.Established, Counters: guard.Counters{MessagesIn: 99}},
				{Peer: three, State: guard.OpenSent, Failure: "no route to host", Counters: guard.Counters{Sessions: 2, Engines: 1}},
				{
					Peer: one, State: guard.Established, Since: now.Add(-time.Minute), HoldTime: 90 * time.Second, Engine: guard.OpenConfirm,
					EngineSince: now.Add(-2 * time.Second), RoutesIn: 8, RoutesOut: 9, Waiting: 4, Renewing: true, Failure: "closed",
					Refusals: map[string]uint64{"AIGP": 2, "EVPN route type 9": 1},
					Counters: guard.Counters{Sessions: 2, Engines: 3, Restarts: 2, MessagesIn: 10, MessagesOut: 11, Filtered: 3, Refused: 1},
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []*tnsv1.Session{
			{
				Plane: "fabric", Peer: "192.0.2.1", LocalAddress: "2001:db8::3", As: 65001, RouterId: "192.0.2.9", Description: "spine",
				State: "established", Since: timestamppb.New(now.Add(-time.Minute)), Age: durationpb.New(time.Minute), // the guard's
				Received: 5, Sent: 6, Routes: 7, RoutesSent: 9, Waiting: 4, HoldTime: durationpb.New(90 * time.Second), MessagesReceived: 10, MessagesSent: 11,
				Filtered: 3, Refused: 1, Refusals: map[string]uint64{"AIGP": 2, "EVPN route type 9": 1}, Sessions: 2, LastFailure: "closed",
				Engine: "openconfirm", EngineSince: timestamppb.New(now.Add(-2 * time.Second)), EngineRestarts: 2, Renewing: true,
			},
			{ // the guard does not know it
				Plane: "fabric", Peer: "192.0.2.2", As: 65002, State: "idle", Since: timestamppb.New(now.Add(-3 * time.Second)), Age: durationpb.New(3 * time.Second),
				Dynamic: true,
			},
			{ // the second session still waits for its engine
				Plane: "fabric", Peer: "2001:db8::3", State: "opensent", HoldTime: durationpb.New(0), LastFailure: "no route to host", Sessions: 2, Engine: "idle",
			},
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
	})
}

// Who does not know the sessions says so, and does not tell of half of them.
func TestSessionsThatCannotBeTold(t *testing.T) {
	gone := errors.New("gone")
	one := []speaker.Session{{Peer: netip.MustParseAddr("192.0.2.1")}}
	for name, g := range map[string]guarded{"no speaker": {sessionsErr: gone}, "no guard": {sessions: one, peerErr: gone}} {
		if got, err := Sessions(t.Context(), "tes", g); !errors.Is(err, gone) || got != nil {
			t.Errorf("%s: sessions %v, %v", name, got, err)
		}
	}
}
