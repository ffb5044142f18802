package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// sessionView is one BGP session.
type sessionView struct {
	Plane            string            `json:"plane"`
	Peer             string            `json:"peer"`
	LocalAddress     string            `json:"local_address"`
	AS               uint32            `json:"as"`
	RouterID         string            `json:"router_id"`
	State            string            `json:"state"`
	Since            *time.Time        `json:"since"` // null when unknown
	AgeS             *int64            `json:"age_s"` // null when unknown
	HoldTimeS        int64             `json:"hold_time_s"`
	Dynamic          bool              `json:"dynamic"`
	Description      string            `json:"description"`
	MessagesReceived uint64            `json:"messages_received"`
	MessagesSent     uint64            `json:"messages_sent"`
	Received         uint64            `json:"received"` // UPDATEs
	Sent             uint64            `json:"sent"`     // UPDATEs
	Routes           uint32            `json:"routes"`
	RoutesSent       uint32            `json:"routes_sent"`
	Waiting          uint32            `json:"waiting"`
	Filtered         uint64            `json:"filtered"`
	Refused          uint64            `json:"refused"`
	Refusals         map[string]uint64 `json:"refusals"`
	Sessions         uint64            `json:"sessions"`
	Engine           string            `json:"engine"`
	EngineSince      *time.Time        `json:"engine_since"` // null when unknown
	EngineRestarts   uint64            `json:"engine_restarts"`
	Renewing         bool              `json:"renewing"`
	LastFailure      string            `json:"last_failure"`
}

func viewSession(s *tnsv1.Session) sessionView {
	v := sessionView{
		Plane: s.Plane, Peer: s.Peer, LocalAddress: s.LocalAddress, AS: s.As, RouterID: s.RouterId, State: s.State, Since: instant(s.Since),
		AgeS: wholeSeconds(s.Age), HoldTimeS: int64(s.HoldTime.AsDuration().Seconds()), Dynamic: s.Dynamic, Description: s.Description,
		MessagesReceived: s.MessagesReceived, MessagesSent: s.MessagesSent, Received: s.Received, Sent: s.Sent,
		Routes: s.Routes, RoutesSent: s.RoutesSent, Waiting: s.Waiting, Filtered: s.Filtered, Refused: s.Refused, Refusals: s.Refusals,
		Sessions: s.Sessions, Engine: s.Engine, EngineSince: instant(s.EngineSince), EngineRestarts: s.EngineRestarts, Renewing: s.Renewing,
		LastFailure: s.LastFailure,
	}
	if v.Refusals == nil {
		v.Refusals = map[string]uint64{}
	}
	return v
}

// instant is a time, nil if it is absent.
func instant(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}

// wholeSeconds is a length of time, nil if it is absent.
func wholeSeconds(d *durationpb.Duration) *int64 {
	if d == nil {
		return nil
	}
	s := int64(d.AsDuration().Seconds())
	return &s
}

// day is a date and time for people.
func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// age is a length of time for people, who care for two units of it: 42s, 4m47s, 3h12m or 5d3h.
func age(s *int64) string {
	if s == nil {
		return ""
	}
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	switch n := *s; {
	case n < minute:
		return fmt.Sprintf("%ds", n)
	case n < hour:
		return fmt.Sprintf("%dm%ds", n/minute, n%minute)
	case n < day:
		return fmt.Sprintf("%dh%dm", n/hour, n%hour/minute)
	default:
		return fmt.Sprintf("%dd%dh", n/day, n%day/hour)
	}
}
