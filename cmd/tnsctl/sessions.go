package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// sessionView is one BGP session.
type sessionView struct {
	Plane        string     `json:"plane"`
	Peer         string     `json:"peer"`
	LocalAddress string     `json:"local_address"`
	AS           uint32     `json:"as"`
	RouterID     string     `json:"router_id"`
	State        string     `json:"state"`
	Since        *time.Time `json:"since"` // null when unknown
	Dynamic      bool       `json:"dynamic"`
	Description  string     `json:"description"`
	Received     uint64     `json:"received"`
	Sent         uint64     `json:"sent"`
	Routes       uint32     `json:"routes"`
}

func (a *app) sessions() *cobra.Command {
	return &cobra.Command{
		Use:     "sessions",
		Short:   "List the BGP sessions",
		Example: "  tnsctl sessions",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListSessions(ctx, &tnsv1.ListSessionsRequest{})
				if err != nil {
					return err
				}
				sessions := []sessionView{}
				t := newTable("PLANE", "PEER", "AS", "ROUTER-ID", "STATE", "SINCE", "DYNAMIC", "RECEIVED", "SENT", "ROUTES", "DESCRIPTION")
				for _, s := range r.Sessions {
					v := sessionView{
						Plane: s.Plane, Peer: s.Peer, LocalAddress: s.LocalAddress, AS: s.As, RouterID: s.RouterId, State: s.State,
						Since: instant(s.Since), Dynamic: s.Dynamic, Description: s.Description, Received: s.Received, Sent: s.Sent, Routes: s.Routes,
					}
					sessions = append(sessions, v)
					t.row(v.Plane, v.Peer, v.AS, v.RouterID, v.State, day(v.Since), yes(v.Dynamic), v.Received, v.Sent, v.Routes, v.Description)
				}
				return a.show(sessions, t)
			})
		},
	}
}

// instant is a time, nil if it is absent.
func instant(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}

// day is a date and time for people.
func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
