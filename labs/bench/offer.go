package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/tns-project/tns/labs/internal/bgp"
	"github.com/tns-project/tns/labs/internal/netns"
	"github.com/tns-project/tns/labs/internal/wait"
)

// crowd is TESs behind h1 of which each has a session with e1, on which it asks for the responses to it as tesd does: requests by hand, as octets that were made
// before, and nothing but a counter for the answers.
type crowd struct {
	world    *World
	sessions []*bgp.Session

	mu       sync.Mutex
	answered int // SUCCESS
	last     time.Time
	refused  error
	changed  chan struct{} // capacity 1
}

// gather brings up the sessions of so many TESs.
func (w *World) gather(ctx context.Context, count int) (*crowd, error) {
	c := &crowd{world: w, changed: make(chan struct{}, 1)}
	for i := range count {
		tes := speakerOf(i)
		s, err := w.session(ctx, bgp.DialTES, host(0), tes, vtep(0), func(update []byte) { c.heard(tes, update) })
		if err != nil {
			c.close()
			return nil, fmt.Errorf("TES %d of %d: %w", i+1, count, err)
		}
		c.sessions = append(c.sessions, s)
	}
	return c, nil
}

// dialer is bgp.Dial or bgp.DialTES.
type dialer func(ctx context.Context, n *netns.Namespace, as uint16, from, to netip.Addr, heard func(update []byte)) (*bgp.Session, error)

// session brings a session up from an address of a node; the other side may be starting.
func (w *World) session(ctx context.Context, dial dialer, node string, from, to netip.Addr, heard func(update []byte)) (s *bgp.Session, err error) {
	err = wait.Until(ctx, patience, "a session", func() (err error) {
		s, err = dial(ctx, w.Namespace(node), as, from, to, heard)
		return err
	})
	return s, err
}

func (c *crowd) close() {
	for _, s := range c.sessions {
		s.Close()
	}
}

// heard takes an UPDATE to one of them.
func (c *crowd) heard(tes netip.Addr, update []byte) {
	responses := bgp.Responses(update, tes)
	if len(responses) == 0 {
		return
	}
	now := time.Now()
	c.mu.Lock()
	for _, r := range responses {
		switch r.Status {
		case statusSuccess:
			c.answered++
			c.last = now
		case statusPending:
		default:
			c.refused = fmt.Errorf("%v has refused %s: %+v", c.world.System, r.MAC, r)
		}
	}
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Of RESULT (SPEC §2).
const (
	statusSuccess = 0
	statusPending = 3
)

// requests makes those of VMs, in turns from all TESs: for each TES the octets to send. With address each VM has an IPv4 address, and so two routes.
func (c *crowd) requests(vms []VM, op byte, address bool) (octets [][]byte) {
	octets = make([][]byte, len(c.sessions))
	for i, v := range vms {
		tes := i % len(c.sessions)
		ask := bgp.Ask{
			TES: speakerOf(tes), NVE: vtep(0), Op: op, Sequence: uint32(op), VM: v.ID, Index: 1, Count: 1, VNI: uint32(vni(v.VN)), MAC: v.mac(),
		}
		if op == bgp.Terminate {
			ask.Base = associated
		}
		if address {
			ask.Count = 2
		}
		octets[tes] = ask.Request().AppendTo(octets[tes])
		if address {
			ask.Index, ask.IP = 2, netip.AddrFrom4([4]byte{10, v.MAC[3], v.MAC[4], v.MAC[5]})
			octets[tes] = ask.Request().AppendTo(octets[tes])
		}
	}
	return octets
}

const associated = 2 // of SPEC §2's states

// send sends each TES's octets, all at once.
func (c *crowd) send(octets [][]byte) (began time.Time, wait func() error) {
	c.mu.Lock()
	c.answered = 0
	c.mu.Unlock()
	failed := make(chan error, len(c.sessions))
	began = time.Now()
	for i, s := range c.sessions {
		go func() { failed <- s.Send(octets[i]) }()
	}
	return began, func() (err error) {
		for range c.sessions {
			if e := <-failed; e != nil {
				err = e
			}
		}
		return err
	}
}

// await waits for so many routes that were answered with SUCCESS.
func (c *crowd) await(ctx context.Context, count int) (last time.Time, err error) {
	for {
		c.mu.Lock()
		answered, last, refused := c.answered, c.last, c.refused
		c.mu.Unlock()
		switch {
		case refused != nil:
			return last, refused
		case answered >= count:
			return last, nil
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return last, fmt.Errorf("%w: %d of %d requests are answered", context.Cause(ctx), answered, count)
		}
	}
}
