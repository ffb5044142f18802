package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/speaker/guard"
)

// The two processes that nved starts.
const (
	guardProcess  = "guard"
	engineProcess = "engine"
)

// Where the two meet: in networks of addresses of their own, one for each plane.
var (
	tesInner    = netip.MustParsePrefix("127.64.0.0/11")
	fabricInner = netip.MustParsePrefix("127.96.0.0/11")
)

// handover is what the two processes are told, both the same; but the guard, which speaks with everybody, does not get the keys of credentials.
type handover struct {
	Source      *config.NVESource
	Before      *config.NVESource // before the last reload, nil: there was none; without keys
	TES, Fabric meeting
}

// meeting is where guard and engine of a plane meet.
type meeting struct {
	Engine  guard.Engine // BGP, the engine listens
	Control string       // path of the guard's control socket
}

// client asks the plane's guard.
func (m meeting) client() guard.Client { return guard.Client{Path: m.Control} }

// log is how both log.
func (h handover) log() (config.Log, error) {
	c, err := h.Source.NVE()
	if err != nil {
		return config.Log{}, err
	}
	return c.Log, nil
}

// supervise makes the supervisor, which has neither sessions nor state: only the lock that makes it the one nved here, the guard's control sockets, which it
// opens because the guard may not, and the story that one engine tells the next.
func supervise(c configured, log *logrus.Entry) (parts []daemon.Part, clean func(), err error) {
	var undo daemon.Undo
	defer undo.Unless(&err)

	debug.SetGCPercent(25) // little is kept of much that is read; by default there is no collection before 4 MiB are used
	lock, err := control.Lock(c.Control)
	if err != nil {
		return nil, nil, err
	}
	undo.Add(func() { lock.Close() })
	h := handover{Source: c.source}
	inherited := make([]*os.File, inheritedFiles)
	inherited[inheritedLock] = lock
	for _, p := range []struct {
		meeting *meeting
		name    string
		inner   netip.Prefix
		file    int
	}{{&h.TES, "guard-tes", tesInner, inheritedTES}, {&h.Fabric, "guard-fabric", fabricInner, inheritedFabric}} {
		if p.meeting.Engine, err = bgp.Meet(p.inner); err != nil {
			return nil, nil, err
		}
		l, err := control.Listen(control.Beside(c.Control, p.name))
		if err != nil {
			return nil, nil, err
		}
		undo.Add(func() { l.Close() })
		p.meeting.Control = l.Addr().String()
		if inherited[p.file], err = private(l); err != nil {
			return nil, nil, err
		}
	}
	program, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program's file: %w", err)
	}
	guardChild, engineChild := children(h, c.NVE)
	guardChild.Files, guardChild.NoNewPrivileges = inherited, true
	engineChild.Files, engineChild.Keep = inherited[:inheritedLock+1], eventsHandedOn
	s := &supervisor.Supervisor{Program: program, Log: log, Children: []supervisor.Child{guardChild, engineChild}}
	r := newReloader(c, h, s, log)
	s.Answer = r.answer
	parts = []daemon.Part{{Name: "supervisor", Run: s.Run}, {Name: "reload", Run: r.run}}
	return parts, func() { os.Remove(h.TES.Control); os.Remove(h.Fabric.Control) }, nil
}

// children is what the two processes are told, and how much memory the engine may have.
func children(h handover, c *config.NVE) (guardChild, engineChild supervisor.Child) {
	forGuard := h
	forGuard.Source, forGuard.Before = h.Source.WithoutKeys(), nil
	return supervisor.Child{Name: guardProcess, Handover: forGuard}, supervisor.Child{Name: engineProcess, Handover: h, MemoryLimit: c.Engine.MemoryLimit}
}

// What the processes inherit. The guard has all of it, the engine the lock.
const (
	inheritedLock = iota
	inheritedTES
	inheritedFabric
	inheritedFiles
)

// private is the file of a listening socket that only its owner may use.
func private(l net.Listener) (*os.File, error) {
	if err := os.Chmod(l.Addr().String(), 0o600); err != nil {
		return nil, fmt.Errorf("open the guard's control socket: %w", err)
	}
	file, err := l.(*net.UnixListener).File()
	if err != nil {
		return nil, fmt.Errorf("open the guard's control socket: %w", err)
	}
	return file, nil
}
