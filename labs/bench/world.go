package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
	"github.com/tns-project/tns/labs/internal/manager"
	"github.com/tns-project/tns/labs/internal/usage"
	"github.com/tns-project/tns/labs/internal/wait"
)

// System is whose edges a world has.
type System string

const (
	FRR  System = "FRR"
	Ours System = report.Ours
)

// Fabric is how the edges of a world reach each other.
type Fabric string

const (
	FRRReflector   Fabric = "FRR reflector"
	GoBGPReflector Fabric = "GoBGP reflector"
	Direct         Fabric = "direct"
)

// Plan is what a world is to be like. Worlds with one plan differ in their daemons only.
type Plan struct {
	System System
	Fabric Fabric
	Edges  int  // e1, e2 … each with its host h1, h2 …
	VNs    int  // each with a device of its own at each edge
	Ports  int  // the first so many VNs have a port at each edge; 0: all
	TESs   int  // speakers beside h1's own that may ask e1 for VMs in any VN
	ByHand bool // e1 runs nothing: what it says is said by the bench
}

// as is the autonomous system of all.
const as = 65000

// hub is the address of the reflector, or with direct sessions of FRR's of the router between the edges.
const hub = "192.0.2.254"

func edge(i int) string   { return fmt.Sprint("e", i+1) }
func host(i int) string   { return fmt.Sprint("h", i+1) }
func vn(i int) string     { return fmt.Sprint("vn", i+1) }
func vxlan(i int) string  { return fmt.Sprint("vx", i+1) }
func port(i int) string   { return fmt.Sprint("p", i+1) }
func vni(i int) int       { return 10001 + i }
func vtepOf(i int) string { return fmt.Sprint("192.0.2.", i+1) }
func tesOf(i int) string  { return fmt.Sprint("198.51.100.", 11+i) }

// vtep is the address that MACs behind an edge are behind.
func vtep(i int) netip.Addr { return netip.MustParseAddr(vtepOf(i)) }

// speakerOf is the address and TES-ID of one of the TESs of a Plan.
func speakerOf(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(i / 250), byte(1 + i%250)})
}

// speakers is where they all are.
const speakers = "198.18.0.0/16"

// World is a deployed plan.
type World struct {
	Plan
	*clab.Lab
	managers  map[string]*manager.Manager // by node
	observers []*fdb.Observer
	writers   []*fdb.Writer
}

// patience is how long a world may take to come up, and one event to get through it.
const patience = 30 * time.Second

// patience is how long this one may take to come up: an edge makes two devices for each VN before it has a session.
func (p Plan) patience() time.Duration { return patience + time.Duration(p.VNs)*20*time.Millisecond }

// start deploys a world and returns when each of its edges has the other ones' VMs.
func (b *Bench) start(ctx context.Context, p Plan) (w *World, err error) {
	if p.Ports == 0 {
		p.Ports = p.VNs
	}
	b.worlds++
	name := fmt.Sprintf("tns-bench-%d-%d", os.Getpid(), b.worlds)
	dir := filepath.Join(b.dir, name)
	topology, err := p.topology(dir)
	if err != nil {
		return nil, err
	}
	w = &World{Plan: p, managers: make(map[string]*manager.Manager)}
	w.Lab, err = clab.Deploy(ctx, topology, clab.Options{Name: name, State: dir, Binaries: b.Binaries})
	if err != nil {
		return nil, err
	}
	if err := w.ready(ctx); err != nil {
		err = fmt.Errorf("%s, %s: %w%s", p.System, p.Fabric, err, w.logs())
		return nil, errors.Join(err, b.stop(w))
	}
	return w, nil
}

// logs is the end of what the daemons of ours said.
func (w *World) logs() (text string) {
	const tail = 600
	for _, node := range w.Topology.NodeNames() {
		names, _ := filepath.Glob(w.Dir(node) + "/*d.log")
		for _, name := range names {
			b, _ := os.ReadFile(name)
			text += fmt.Sprintf("; %s %s: …%s", node, filepath.Base(name), b[max(0, len(b)-tail):])
		}
	}
	return text
}

// stop ends the world with all that it runs, and notes what that has used.
func (b *Bench) stop(w *World) error {
	for _, node := range w.Topology.NodeNames() {
		processes, err := w.Everything(node)
		if err != nil {
			return errors.Join(err, w.Destroy())
		}
		for _, p := range processes {
			if u, err := usage.Of(p.ID); err == nil { // else it has ended
				b.spent += u.CPU
			}
		}
	}
	for i, o := range w.observers {
		if !w.byHand(i) {
			o.Close()
			w.writers[i].Close()
		}
	}
	for _, m := range w.managers {
		m.Close()
	}
	return w.Destroy()
}

// ready waits for all sessions, opens what the measures need, and puts VMs there.
func (w *World) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience())
	defer cancel()
	if w.System == Bare {
		return nil // there are no edges
	}
	for i := range w.Edges {
		if w.byHand(i) {
			w.observers, w.writers = append(w.observers, nil), append(w.writers, nil)
			continue
		}
		if err := w.waitFor(ctx, i); err != nil {
			return err
		}
		var devices []string
		for j := range w.Ports {
			devices = append(devices, vxlan(j))
		}
		var o *fdb.Observer
		err := wait.Until(ctx, w.patience(), "devices of "+edge(i), func() (err error) { // nved makes them
			o, err = fdb.Observe(w.Namespace(edge(i)), devices...)
			return err
		})
		if err != nil {
			return err
		}
		c, err := fdb.NewWriter(w.Namespace(edge(i)))
		if err != nil {
			o.Close()
			return err
		}
		w.observers, w.writers = append(w.observers, o), append(w.writers, c)
	}
	return w.settle(ctx)
}

// byHand reports whether an edge runs nothing.
func (p Plan) byHand(i int) bool { return p.System == Bare || p.ByHand && i == 0 }

// waitFor waits for the sessions of an edge and of its host.
func (w *World) waitFor(ctx context.Context, i int) error {
	peers := w.neighbours(i)
	if w.System == FRR {
		return frr.Router{Lab: w.Lab, Node: edge(i)}.WaitSessions(ctx, patience, peers...)
	}
	for _, n := range []struct {
		node, daemon string
		sessions     int
	}{{host(i), "tesd", 1}, {edge(i), "nved", len(peers) + 1}} {
		m, err := manager.New(w.Lab, n.node, n.daemon)
		if err != nil {
			return err
		}
		w.managers[n.node] = m
		err = wait.Until(ctx, w.patience(), "sessions", func() error { return m.Established(ctx, n.sessions) })
		if err != nil {
			return err
		}
	}
	return nil
}

// settle gives each edge a VM of its own in each VN with a port, which stays, and waits until all others have it: nved writes the entries of those VNs
// only that it has a VM in.
func (w *World) settle(ctx context.Context) error {
	resident := func(i, j int) VM { return w.vm(1<<24+i*w.Ports+j, j) }
	for i := range w.Edges {
		for j := range w.Ports {
			if w.byHand(i) {
				continue
			}
			if err := w.add(ctx, i, resident(i, j)); err != nil {
				return err
			}
		}
	}
	for i := range w.Edges {
		for other := range w.Edges {
			if i == other || w.byHand(i) || w.byHand(other) {
				continue
			}
			for j := range w.Ports {
				v := resident(i, j)
				if _, err := w.observers[other].Await(ctx, v.Device, v.MAC, vtep(i)); err != nil {
					return err
				}
			}
		}
	}
	return w.meet(ctx)
}

// meet waits for the express sessions of all edges, which find each other as soon as they have VMs in one VN.
func (w *World) meet(ctx context.Context) error {
	for i := range w.Edges {
		if !w.express() || w.byHand(i) {
			continue
		}
		sessions := len(w.neighbours(i)) + 1 + w.Edges - 1 // with the fabric, the TES and the other edges
		err := wait.Until(ctx, patience, "express sessions", func() error { return w.managers[edge(i)].Established(ctx, sessions) })
		if err != nil {
			return err
		}
	}
	return nil
}
