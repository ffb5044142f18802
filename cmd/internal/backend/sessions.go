package backend

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
)

// Guarded is a speaker behind a guard, which knows of each session what the engine cannot.
type Guarded interface {
	Sessions() ([]speaker.Session, error)
	Peers(context.Context) ([]guard.Status, guard.Totals, error)
}

// Sessions is the sessions of a speaker; plane says what they are for.
func Sessions(ctx context.Context, plane string, s Guarded) ([]*tnsv1.Session, error) {
	list, err := s.Sessions()
	if err != nil {
		return nil, err
	}
	peers, _, err := s.Peers(ctx)
	if err != nil {
		return nil, err
	}
	return join(plane, list, peers), nil
}

// join tells each session with what the guard has of its peer. Where both know something, the guard is right: the session is its own.
func join(plane string, list []speaker.Session, peers []guard.Status) []*tnsv1.Session {
	known := make(map[netip.Addr]guard.Status)
	for _, p := range peers {
		known[p.Peer] = p
	}
	var sessions []*tnsv1.Session
	for _, l := range list {
		v := &tnsv1.Session{
			Plane: plane, Peer: l.Peer.String(), LocalAddress: Addr(l.LocalAddress), As: l.AS, State: l.State, Dynamic: l.Dynamic,
			Description: l.Description, Received: l.Received, Sent: l.Sent, Routes: uint32(l.Routes),
		}
		if l.RouterID != 0 {
			v.RouterId = l.RouterID.String()
		}
		since := l.Since
		if p, ok := known[l.Peer]; ok {
			v.State, since = p.State.String(), p.Since
			tell(v, p)
		}
		if !since.IsZero() {
			v.Since, v.Age = timestamppb.New(since), durationpb.New(max(0, time.Since(since)))
		}
		sessions = append(sessions, v)
	}
	return sessions
}

// tell adds what only the guard has.
func tell(v *tnsv1.Session, p guard.Status) {
	v.HoldTime = durationpb.New(p.HoldTime)
	v.MessagesReceived, v.MessagesSent = p.MessagesIn, p.MessagesOut
	v.Filtered, v.Refused, v.Refusals = p.Filtered, p.Refused, p.Refusals
	v.LastFailure, v.Sessions = p.Failure, p.Counters.Sessions
	v.Engine, v.Renewing = p.Engine.String(), p.Renewing
	if !p.EngineSince.IsZero() {
		v.EngineSince = timestamppb.New(p.EngineSince)
	}
	v.EngineRestarts = p.Restarts
	v.RoutesSent, v.Waiting = uint32(p.RoutesOut), uint32(p.Waiting)
}
