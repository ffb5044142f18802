package backend

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/speaker"
)

// Sessions is the sessions of a speaker; plane says what they are for.
func Sessions(plane string, s speaker.Speaker) ([]*tnsv1.Session, error) {
	list, err := s.Sessions()
	if err != nil {
		return nil, err
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
		if !l.Since.IsZero() {
			v.Since = timestamppb.New(l.Since)
		}
		sessions = append(sessions, v)
	}
	return sessions, nil
}
