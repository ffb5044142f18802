package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/cmd/internal/heap"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/nve/hook"
	"github.com/tns-project/tns/lifecycle/nve/store"
)

// buildEngine makes the parts. The control socket comes first: it tells whether another nved runs. The kernel's devices are made last, when nothing else
// can fail.
func buildEngine(h handover, parent *supervisor.Parent, log *logrus.Entry) (parts []daemon.Part, err error) {
	c, err := h.Source.NVE()
	if err != nil {
		return nil, err
	}
	keeper := heap.NewKeeper()
	if limit := c.Engine.MemoryLimit; limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 9) // collect more eagerly before the supervisor replaces us
	}
	var undo daemon.Undo
	defer undo.Unless(&err)

	socket, err := control.Listen(c.Control)
	if err != nil {
		return nil, err
	}
	undo.Add(func() { socket.Close() })
	state, aside, err := store.Open(c.State, log.WithField("part", "store"))
	if err != nil {
		return nil, err
	}
	if aside != "" {
		log.WithField("aside", aside).Warn("the state file was damaged and is put aside; what it held is rebuilt from requests and kernel")
	}
	tesPlane, err := bgp.NewEngine(tesSpeaker(c, log), h.TES.Engine, h.TES.client())
	if err != nil {
		return nil, fmt.Errorf("the TES plane: %w", err)
	}
	fabric, err := bgp.NewEngine(fabricSpeaker(c, log), h.Fabric.Engine, h.Fabric.client())
	if err != nil {
		return nil, fmt.Errorf("the fabric: %w", err)
	}
	kernel, err := linux.New(linux.Options{Log: log.WithField("part", "kernel")})
	if err != nil {
		return nil, err
	}
	undo.Add(kernel.Close)
	table := dataplane.NewReconciler(kernel)
	hooks, err := hooksOf(c)
	if err != nil {
		return nil, err
	}
	started := newStart(table)
	events := story(parent)
	happening := events.NewReader()
	poster, err := hook.New(c.ID, hooks, state, log.WithField("part", "hooks"))
	if err != nil {
		return nil, fmt.Errorf("read what hooks have not got yet: %w", err)
	}
	var middleboxes nve.Middleboxes // nobody, where there are no hooks
	if len(hooks) > 0 {
		middleboxes = poster
	}
	found, err := kernel.Attachments()
	if err != nil {
		return nil, err
	}
	told := edgeConfig(c)
	told.Segments = segments(c, found)
	told.Standing = standing(h.Fabric.client())
	calls := newOperator()
	edge, err := nve.New(told, nve.Parts{
		Caller: calls,
		TES:    tesPlane, Fabric: fabric, Forwarder: started, Store: state, Middleboxes: middleboxes, History: events, Log: log.WithField("part", "edge"),
	})
	if err != nil {
		return nil, err
	}
	b := &backend{
		Unsupported: control.Unsupported{Daemon: control.NVE},
		config:      c, edge: edge, table: table, state: state, hooks: poster, tes: tesPlane, fabric: fabric, events: events, started: time.Now(),
	}
	b.reload = func(ctx context.Context, q supervisorQuestion) (o outcome, err error) {
		err = parent.Ask(ctx, q, &o)
		return o, err
	}
	parent.AnswerWith(b.answerSupervisor)
	inputs := nve.Inputs{TES: heard{tesPlane.Inbox(), keeper.Note}, Fabric: heard{fabric.Inbox(), keeper.Note}, Results: table.Answers()}
	parts = []daemon.Part{
		{Name: "memory", Run: keeper.Run},
		{Name: "store", Run: state.Run},
		{Name: "forwarding table", Run: table.Run},
		{Name: "TES plane", Run: tesPlane.Run},
		{Name: "fabric", Run: fabric.Run},
		{Name: "story", Run: func(ctx context.Context) error { return handOn(ctx, happening, parent) }},
		{Name: "hooks", Run: poster.Run},
		{Name: "edge", Run: func(ctx context.Context) error { return edge.Run(ctx, inputs) }},
		{Name: "sessions", Run: func(ctx context.Context) error { return sessions(ctx, parent, log, fabric, tesPlane) }},
		{Name: "renewal", Run: func(ctx context.Context) error { return started.whole(ctx, tesPlane, fabric) }},
		{Name: "control API", Run: bgp.AfterOpen(control.NewServer(socket, b).Run, fabric, tesPlane)},
	}
	if c.Express != nil {
		parts = append(parts, daemon.Part{Name: "express", Run: func(ctx context.Context) error {
			return calls.run(ctx, log.WithField("part", "express"), h.Fabric.client())
		}})
	}
	if c.Metrics != "" {
		pages, err := metrics.New(c.Metrics, b.figures, b.ready)
		if err != nil {
			return nil, err
		}
		undo.Add(func() { pages.Close() })
		parts = append(parts, daemon.Part{Name: "metrics", Run: pages.Run})
	}
	if h.Before != nil {
		before, err := h.Before.NVE()
		if err != nil {
			return nil, fmt.Errorf("the configuration before: %w", err)
		}
		if err := kernel.Leave(context.Background(), networks(before), networks(c)); err != nil {
			log.WithError(err).Warn("take away what VNs that are gone left behind")
		}
	}
	if err := kernel.Ensure(context.Background(), networks(c)); err != nil {
		return nil, fmt.Errorf("make the devices of the VNs: %w", err)
	}
	return parts, nil // the kernel's sockets end with the process, its entries stay
}

// sessions opens the speakers, with which the engine is ready, and then keeps their own tables what the edge made them: what someone else changes there, through the GoBGP API, is put
// back.
func sessions(ctx context.Context, parent *supervisor.Parent, log *logrus.Entry, fabric, tesPlane *bgp.Speaker) error {
	if err := fabric.Open(ctx); err != nil {
		return fmt.Errorf("the fabric: %w", err)
	}
	if err := tesPlane.Open(ctx); err != nil {
		return fmt.Errorf("the TES plane: %w", err)
	}
	if err := parent.Ready(); err != nil {
		return err
	}
	restore := func(plane string, s *bgp.Speaker) {
		n, err := s.Restore()
		if err != nil {
			log.WithField("plane", plane).WithError(err).Warn("restore the speaker's own table")
		} else if n > 0 {
			log.WithFields(logrus.Fields{"plane": plane, "routes": n}).Warn("someone changed the speaker's own table; it is restored")
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-fabric.OwnChanges():
			restore("fabric", fabric)
		case <-tesPlane.OwnChanges():
			restore("tes", tesPlane)
		}
	}
}
