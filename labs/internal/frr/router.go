// Package frr asks an FRR node of a lab what it knows, by vtysh as an operator would.
package frr

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/wait"
)

// Router is an FRR node.
type Router struct {
	Lab  *clab.Lab
	Node string
}

// Run runs one vtysh command.
func (r Router) Run(ctx context.Context, command string) (string, error) {
	return r.Lab.Output(ctx, r.Node, "vtysh", "-c", command)
}

// decode runs a command and reads its JSON.
func (r Router) decode(ctx context.Context, command string, into any) error {
	text, err := r.Run(ctx, command)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return nil // how FRR writes that there is nothing
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("on %s: %s: %w", r.Node, command, err)
	}
	return nil
}

// WaitSessions waits until the EVPN sessions with all the peers are established.
func (r Router) WaitSessions(ctx context.Context, limit time.Duration, peers ...string) error {
	return wait.Until(ctx, limit, "sessions of "+r.Node, func() error {
		var summary struct {
			Peers map[string]struct{ State string }
		}
		if err := r.decode(ctx, "show bgp l2vpn evpn summary json", &summary); err != nil {
			return err
		}
		for _, p := range peers {
			if state := summary.Peers[p].State; state != "Established" {
				return fmt.Errorf("session with %s is %q", p, state)
			}
		}
		return nil
	})
}

// Neighbour is what FRR tells of a session.
type Neighbour struct {
	Epoch       int64 `json:"bgpTimerUpEstablishedEpoch"` // since when it stands: Unix time, give or take a second
	Established int   `json:"connectionsEstablished"`     // sessions so far
	Dropped     int   `json:"connectionsDropped"`
	Messages    struct {
		Updates int `json:"updatesRecv"`
	} `json:"messageStats"`
}

// Neighbours reads all sessions, by the peer's address.
func (r Router) Neighbours(ctx context.Context) (map[string]Neighbour, error) {
	var all map[string]Neighbour
	return all, r.decode(ctx, "show bgp neighbors json", &all)
}

// Route is one path of an EVPN route in FRR's table.
type Route struct {
	RD, Prefix  string // Prefix as FRR writes it: [2]:[0]:[48]:[02:00:…]
	NextHop     string
	Communities []string // extended communities as FRR writes them: RT:65000:100, ET:8, MM:1
	Large       string   // large communities
	Best        bool
}

// Routes reads the whole EVPN table.
func (r Router) Routes(ctx context.Context) ([]Route, error) {
	var table map[string]json.RawMessage
	if err := r.decode(ctx, "show bgp l2vpn evpn route json", &table); err != nil {
		return nil, err
	}
	var routes []Route
	for rd, text := range table {
		var entries map[string]json.RawMessage
		if json.Unmarshal(text, &entries) != nil {
			continue // a count
		}
		for prefix, text := range entries {
			var entry struct {
				Paths [][]path
			}
			if json.Unmarshal(text, &entry) != nil {
				continue // the "rd" member
			}
			for _, group := range entry.Paths {
				for _, p := range group {
					routes = append(routes, p.route(rd, prefix))
				}
			}
		}
	}
	return routes, nil
}

// path mirrors FRR's JSON.
type path struct {
	Bestpath          bool
	ExtendedCommunity struct{ String string }
	LargeCommunity    struct{ String string }
	Nexthops          []struct{ IP string }
}

func (p path) route(rd, prefix string) Route {
	route := Route{
		RD: rd, Prefix: prefix, Best: p.Bestpath,
		Communities: strings.Fields(p.ExtendedCommunity.String),
		Large:       p.LargeCommunity.String,
	}
	if len(p.Nexthops) > 0 {
		route.NextHop = p.Nexthops[0].IP
	}
	return route
}

// MAC is an entry of zebra's MAC table.
type MAC struct {
	Type           string // local or remote
	RemoteVTEP     string `json:"remoteVtep"`
	RemoteSequence uint32 `json:"remoteSequence"`
}

// MACs reads zebra's MAC table of a VNI, by MAC.
func (r Router) MACs(ctx context.Context, vni int) (map[string]MAC, error) {
	var table struct{ Macs map[string]MAC }
	if err := r.decode(ctx, fmt.Sprintf("show evpn mac vni %d json", vni), &table); err != nil {
		return nil, err
	}
	return table.Macs, nil
}
