package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

func (a *app) sessions() *cobra.Command {
	var peer netip.Addr
	var wide bool
	c := &cobra.Command{
		Use:   "sessions [PEER]",
		Short: "List the BGP sessions, or tell all of those with one peer",
		Long: `List the BGP sessions, or tell all of those with the peer of one address, which may have one in each plane.

FILTERED counts what in a peer's UPDATEs was not let through as it was (RFC 7606), REFUSED the UPDATEs and routes among them that were
treated as withdrawn, skipped, or reset the session. RESTARTS counts how many times the engine behind the session was replaced while the
session stood: the peer sees nothing of it. All counts are of the time since the peer is known, over all sessions with it.

With --json it is an array, of all that is known of each session.`,
		Example: "  tnsctl sessions\n  tnsctl sessions --wide\n  tnsctl sessions 198.51.100.11\n" +
			"  tnsctl sessions --json | jq -r '.[] | select(.state != \"established\") | .peer + \" \" + .last_failure'",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("tnsctl sessions: unexpected argument %q: want the address of one peer", args[1])
			case len(args) == 1:
				var err error
				if peer, err = netip.ParseAddr(args[0]); err != nil {
					return fmt.Errorf("tnsctl sessions: peer %q: want an IP address", args[0])
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListSessions(ctx, &tnsv1.ListSessionsRequest{})
				if err != nil {
					return err
				}
				sessions := []sessionView{}
				for _, s := range r.Sessions {
					if !peer.IsValid() || s.Peer == peer.String() {
						sessions = append(sessions, viewSession(s))
					}
				}
				switch {
				case peer.IsValid() && len(sessions) == 0:
					return control.Errorf(control.ErrNotFound, "peer %v is not known here", peer)
				case peer.IsValid() && !a.json:
					return a.printSessions(sessions)
				case wide:
					return a.show(sessions, wideSessions(sessions))
				}
				return a.show(sessions, sessionTable(sessions))
			})
		},
	}
	c.Flags().BoolVar(&wide, "wide", false, "all columns, for a terminal of 240 and more")
	return c
}

// sessionTable is what an operator looks at first; it fits a line of 120 unless addresses are very long.
func sessionTable(sessions []sessionView) *table {
	t := newTable("PLANE", "PEER", "AS", "STATE", "SINCE", "FOR", "ROUTES", "FILTERED", "REFUSED", "RESTARTS")
	for _, v := range sessions {
		t.row(v.Plane, v.Peer, v.AS, v.State, day(v.Since), age(v.AgeS), v.Routes, v.Filtered, v.Refused, v.EngineRestarts)
	}
	return t
}

// wideSessions is everything but the kinds of refusals.
func wideSessions(sessions []sessionView) *table {
	t := newTable("PLANE", "PEER", "AS", "STATE", "SINCE", "FOR", "ROUTES", "FILTERED", "REFUSED", "RESTARTS", "ROUTER-ID", "LOCAL", "HOLD", "DYNAMIC",
		"MSG-RCVD", "MSG-SENT", "UPD-RCVD", "UPD-SENT", "ROUTES-SENT", "WAITING", "SESSIONS", "ENGINE", "DESCRIPTION", "LAST-FAILURE")
	for _, v := range sessions {
		t.row(v.Plane, v.Peer, v.AS, v.State, day(v.Since), age(v.AgeS), v.Routes, v.Filtered, v.Refused, v.EngineRestarts, v.RouterID, v.LocalAddress,
			v.holdTime(), yes(v.Dynamic), v.MessagesReceived, v.MessagesSent, v.Received, v.Sent, v.RoutesSent, v.Waiting, v.Sessions, v.engine(),
			v.Description, v.LastFailure)
	}
	return t
}

// engine is the state of the engine behind the session.
func (v sessionView) engine() string {
	if v.Renewing {
		return v.Engine + ", renewing"
	}
	return v.Engine
}

// holdTime is the hold time that was agreed on; empty for none.
func (v sessionView) holdTime() string {
	if v.HoldTimeS == 0 {
		return ""
	}
	return fmt.Sprintf("%ds", v.HoldTimeS)
}

// printSessions prints all of each session, one below the other.
func (a *app) printSessions(sessions []sessionView) error {
	for i, v := range sessions {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := v.facts().print(a.out); err != nil {
			return err
		}
	}
	return nil
}

func (v sessionView) facts() *table {
	t := newTable("Peer", v.Peer)
	t.row("Plane", v.Plane)
	t.row("Description", v.Description)
	t.row("AS", v.AS)
	t.row("Router-ID", v.RouterID)
	t.row("Local address", v.LocalAddress)
	t.row("Dynamic", yes(v.Dynamic))
	t.row("State", v.State)
	t.row("Since", day(v.Since))
	t.row("For", age(v.AgeS))
	t.row("Hold time", v.holdTime())
	t.row("Last failure", v.LastFailure)
	t.row("Sessions", v.Sessions)
	t.row("Messages received", v.MessagesReceived)
	t.row("  UPDATE", v.Received)
	t.row("Messages sent", v.MessagesSent)
	t.row("  UPDATE", v.Sent)
	t.row("Routes", v.Routes)
	t.row("Routes sent", v.RoutesSent)
	t.row("  waiting", v.Waiting)
	t.row("Filtered", v.Filtered)
	for _, kind := range slices.Sorted(maps.Keys(v.Refusals)) {
		t.row("  "+kind, v.Refusals[kind])
	}
	t.row("Refused", v.Refused)
	t.row("Engine", v.engine())
	t.row("  since", day(v.EngineSince))
	t.row("  restarts", v.EngineRestarts)
	return t
}
