package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/cmd/internal/heap"
	"github.com/tns-project/tns/cmd/internal/supervisor"
)

// guardProcessors is on how many of so many processors the guard works at a time: half of them. The engine needs the others. And where all are busy, threads of one process wait for each other
// while one of them has none: Go's collector, which asks again and again whether the others are done, was half of the guard's work in a flood on two processors.
func guardProcessors(all int) int { return max(1, all/2) }

// buildGuard makes the guards of both planes. When their sockets are open the process gives up its privileges.
func buildGuard(h handover, parent *supervisor.Parent, log *logrus.Entry) ([]daemon.Part, error) {
	c, err := h.Source.NVE()
	if err != nil {
		return nil, err
	}
	user, err := daemon.LookUp(c.Guard.User)
	if err != nil {
		return nil, err
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(guardProcessors(runtime.GOMAXPROCS(0)))
	}
	keeper := heap.NewKeeper()
	parts := []daemon.Part{{Name: "memory", Run: keeper.Run}}
	for _, p := range []struct {
		name    string
		config  bgp.Config
		meeting meeting
		file    int
	}{{"TES plane", tesSpeaker(c, log), h.TES, inheritedTES}, {"fabric", fabricSpeaker(c, log), h.Fabric, inheritedFabric}} {
		if p.config.Record != "" {
			if err := recordAs(p.config.Record, user); err != nil {
				return nil, err
			}
		}
		p.config.Heard = keeper.Note
		g, err := bgp.NewGuard(p.config, p.meeting.Engine)
		if err != nil {
			return nil, fmt.Errorf("the %s: %w", p.name, err)
		}
		keeper.Before(g.Shrink)
		socket, err := net.FileListener(parent.File(p.file))
		if err != nil {
			return nil, fmt.Errorf("the %s: take over the control socket: %w", p.name, err)
		}
		socket.(*net.UnixListener).SetUnlinkOnClose(false) // it is the supervisor's, for the next guard
		parts = append(parts,
			daemon.Part{Name: p.name, Run: g.Run},
			daemon.Part{Name: p.name + "'s control", Run: func(ctx context.Context) error { return g.Serve(ctx, socket) }})
	}
	if err := user.Become(); err != nil {
		return nil, err
	}
	return parts, parent.Ready()
}

// recordAs makes a directory that a user can record sessions in, and gives the user the records that are there.
func recordAs(directory string, u daemon.User) error {
	if err := os.MkdirAll(filepath.Dir(directory), 0o755); err != nil {
		return fmt.Errorf("make the directory of records: %w", err)
	}
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return fmt.Errorf("make the directory of records: %w", err)
	}
	records, err := filepath.Glob(filepath.Join(directory, "*.mrt*"))
	if err != nil {
		return fmt.Errorf("look for records in %s: %w", directory, err)
	}
	for _, path := range append(records, directory) {
		if err := os.Lchown(path, u.ID, u.Group); err != nil {
			return fmt.Errorf("give the records to user %s: %w", u.Name, err)
		}
	}
	return nil
}
