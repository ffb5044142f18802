package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker/guard"
)

// How much of the past is kept for people.
const (
	eventsInAll = 16384
	eventsPerVM = 256
)

// build makes the parts. The control socket comes first: it tells whether another tesd runs.
func build(c *config.TES, log *logrus.Entry) (parts []daemon.Part, clean func(), err error) {
	var undo daemon.Undo
	defer undo.Unless(&err)

	socket, err := control.Listen(c.Control)
	if err != nil {
		return nil, nil, err
	}
	undo.Add(func() { socket.Close() })
	if err := os.MkdirAll(filepath.Dir(c.State), 0o750); err != nil {
		return nil, nil, fmt.Errorf("make the directory of the state: %w", err)
	}
	state, err := store.Open(c.State, c.ID)
	if err != nil {
		return nil, nil, err
	}
	undo.Add(func() { state.Close() })
	plane, err := bgp.New(speakerConfig(c, log))
	if err != nil {
		return nil, nil, err
	}
	events := history.New(eventsInAll, eventsPerVM)
	tags, err := newTagger(c, log.WithField("part", "tagging"))
	if err != nil {
		return nil, nil, err
	}
	settings := agentConfig(c)
	settings.Tags = tags
	agent := tes.New(settings, plane, state, events, log.WithField("part", "agent"))
	b := &backend{
		Unsupported: control.Unsupported{Daemon: control.TES},
		config:      c, agent: agent, speaker: plane, events: events, started: time.Now(),
	}
	parts = []daemon.Part{
		{Name: "BGP speaker", Run: plane.Run},
		{Name: "tagging", Run: tags.Run},
		{Name: "agent", Run: func(ctx context.Context) error { return agent.Run(ctx, plane.Events()) }},
		{Name: "control API", Run: bgp.AfterOpen(control.NewServer(socket, b).Run, plane)},
	}
	if c.Metrics != "" {
		pages, err := metrics.New(c.Metrics, b.figures, b.ready)
		if err != nil {
			return nil, nil, err
		}
		undo.Add(func() { pages.Close() })
		parts = append(parts, daemon.Part{Name: "metrics", Run: pages.Run})
	}
	return parts, func() { state.Close() }, nil
}

// speakerConfig is the one speaker of a TES: it does not listen, and hears responses only.
func speakerConfig(c *config.TES, log *logrus.Entry) bgp.Config {
	s := bgp.Config{
		RouterID: c.ID, AS: c.AS, API: c.GoBGP, APIWrite: c.GoBGPWrite,
		RouteTargets: []evpn.RouteTarget{evpn.ResponseTarget(c.ID)},
		NextHop:      c.NextHop,
		Inner:        netip.MustParsePrefix("127.64.0.0/10"),
		Record:       c.Record,
		Log:          log,
	}
	seen := map[netip.Addr]bool{} // a reflector may stand before several NVEs
	for _, n := range c.NVEs {
		if seen[n.Address] {
			continue
		}
		seen[n.Address] = true
		s.Peers = append(s.Peers, guard.Peer{
			Prefix: netip.PrefixFrom(n.Address, n.Address.BitLen()), AS: n.AS, Port: n.Port, LocalAddress: n.LocalAddress,
			HoldTime: n.HoldTime, ConnectRetry: n.ConnectRetry, MultihopTTL: n.MultihopTTL, Password: n.Password,
			Description:  "NVE " + n.NVEID.String(),
			SecurityHops: n.TTLSecurityHops, MessageRate: n.MessageRate, MaxRoutes: n.MaxRoutes,
		})
	}
	return s
}

// agentConfig is what the agent is told.
func agentConfig(c *config.TES) tes.Config {
	a := tes.Config{
		ID: c.ID, AS: c.AS, NextHop: c.NextHop,
		BeaconInterval: c.BeaconInterval, BeaconLifetime: c.BeaconLifetime, ResponseTime: c.ResponseTime, RetryMax: c.RetryMax,
	}
	for _, n := range c.NVEs {
		a.NVEs = append(a.NVEs, tes.NVE{ID: n.NVEID, Address: n.Address})
	}
	for _, v := range c.VNs {
		a.VNs = append(a.VNs, tes.VN{Name: v.Name, VNI: v.VNI, NVE: v.NVE, PerVMKeepAlive: v.PerVMKeepAlive})
	}
	return a
}
