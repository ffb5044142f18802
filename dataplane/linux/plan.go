package linux

import (
	"context"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// plan is the messages of several entries, in order: those of one system call. Its memory is used again and again.
type plan struct {
	messages []message
	steps    []step
	replies  []reply
	body     []byte // of all messages, one after the other
	echoes   *echoes
}

// step is what a message is for.
type step struct {
	owner    int  // the entry or key
	optional bool // what it deletes may be gone
	both     bool // it deletes from both tables, and does not get to the second if the first has nothing
	network  *network
	neigh    neigh
}

// full reports whether there may be no place for the messages of one more entry.
func (p *plan) full() bool { return len(p.messages) > batch-2 }

// write sends the messages that fill plans, with what is held up to then, and notes what they change. Each entry gets the first error of its messages. The
// answer is the owners of what was to be deleted from both tables and was not there: somebody else has been at it.
func (k *Kernel) write(ctx context.Context, errs []error, fill func(p *plan, h *held)) (lost []int) {
	p := &k.plan
	p.messages, p.steps, p.body, p.echoes = p.messages[:0], p.steps[:0], p.body[:0], k.watch.echoes
	k.watch.mu.Lock()
	k.watch.drain()
	fill(p, &k.watch.held)
	k.watch.mu.Unlock()
	if len(p.messages) == 0 {
		return nil
	}
	p.replies = append(p.replies[:0], make([]reply, len(p.messages))...)
	k.conn.into(ctx, p.messages, p.replies)
	p.echoes.forget()
	for i, r := range p.replies {
		if r.err == nil {
			continue
		}
		s := &p.steps[i]
		gone := errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.ENODEV)
		switch {
		case gone && s.both:
			lost = append(lost, s.owner)
		case gone && s.optional:
		case errs[s.owner] == nil:
			errs[s.owner] = r.err
		}
		if s.network != nil && !s.optional {
			k.watch.forget(s.network, s.neigh)
		}
	}
	return lost
}

// message adds a message that is no entry's.
func (p *plan) message(owner int, m message, optional bool) {
	p.messages = append(p.messages, m)
	p.steps = append(p.steps, step{owner: owner, optional: optional})
}

// neigh adds a message about an entry.
func (p *plan) neigh(s step, kind, flags uint16) {
	begin := len(p.body)
	p.body = s.neigh.append(p.body) // where it grows, those before keep the old one
	p.messages = append(p.messages, message{kind, flags, p.body[begin:]})
	p.steps = append(p.steps, s)
}

// replace sets an entry, whatever is there.
func (p *plan) replace(owner int, n *network, e neigh) {
	p.neigh(step{owner: owner, network: n, neigh: e}, unix.RTM_NEWNEIGH, replacing)
}

// remove deletes an entry that may be gone.
func (p *plan) remove(h *held, owner int, n *network, e neigh) {
	h.drop(n, e)
	p.neigh(step{owner: owner, network: n, neigh: e, optional: true}, unix.RTM_DELNEIGH, 0)
}

// set adds the messages that set an entry.
func (p *plan) set(h *held, owner int, n *network, e *dataplane.Entry) {
	switch e.Kind {
	case dataplane.Unicast:
		p.setMAC(h, owner, n, e)
	case dataplane.Flood:
		h.rest[n.floodSlot(e.IP)] = dataplane.MAC{}
		p.neigh(step{owner: owner, network: n, neigh: n.inVXLAN(dataplane.MAC{}, e.IP)}, unix.RTM_NEWNEIGH, adding)
	case dataplane.Neighbor:
		h.rest[n.neighborSlot(e.IP)] = e.LinkAddr
		p.replace(owner, n, n.onBridge(e.IP, e.LinkAddr))
	case dataplane.Port:
		p.message(owner, n.opening(e.Key.Port, e.Open), false)
	case dataplane.Tag: // setVIDs
	case dataplane.Policy: // enforcePolicies, withdrawPolicies
	}
}

// setMAC takes one message for what is new, or behind another VTEP. What the bridge has on a port is first written to the VXLAN device, so that no frame meets a
// device that does not know where to send it and floods it.
func (p *plan) setMAC(h *held, owner int, n *network, e *dataplane.Entry) {
	at := n.macSlot(e.MAC)
	was, vtep := h.macs[at], addressOf(e.VTEP)
	if e.LocalPort != "" {
		port := n.ports[e.LocalPort]
		h.place(at, macPlace{port: int32(port)})
		p.replace(owner, n, n.inBridge(e.MAC, port))
		if n.vxlan != 0 && (!h.sure || was.vtep.valid()) {
			p.remove(h, owner, n, n.inVXLAN(e.MAC, netip.Addr{}))
			return
		}
		p.expect(n, unix.RTM_NEWNEIGH, port, e.MAC, address{})
		return
	}
	h.place(at, macPlace{int32(n.vxlan), vtep})
	p.expect(n, unix.RTM_NEWNEIGH, n.vxlan, e.MAC, vtep)
	if h.sure && (was.port == 0 || was.port == int32(n.vxlan)) {
		p.replace(owner, n, n.inBoth(e.MAC, e.VTEP))
		return
	}
	p.replace(owner, n, n.inVXLAN(e.MAC, e.VTEP))
	p.replace(owner, n, n.inBridge(e.MAC, n.vxlan))
}

// unset adds the messages that delete what is under a key. It reports false if the kernel has to be asked first what is there, and whether it is ours.
func (p *plan) unset(h *held, owner int, n *network, key dataplane.Key) bool {
	switch {
	case n == nil:
	case key.Kind == dataplane.Unicast && n.bridge != 0:
		at := n.macSlot(key.MAC)
		was := h.macs[at]
		switch {
		case !h.sure || was.port == 0:
			return false
		case was.port == int32(n.vxlan) && was.vtep.valid():
			h.place(at, macPlace{})
			p.expect(n, unix.RTM_DELNEIGH, n.vxlan, key.MAC, was.vtep)
			e := n.inBoth(key.MAC, netip.Addr{})
			p.neigh(step{owner: owner, network: n, neigh: e, optional: true, both: true}, unix.RTM_DELNEIGH, 0)
		default:
			p.expect(n, unix.RTM_DELNEIGH, int(was.port), key.MAC, address{})
			p.remove(h, owner, n, n.inBridge(key.MAC, int(was.port)).named())
			if was.vtep.valid() {
				p.remove(h, owner, n, n.inVXLAN(key.MAC, netip.Addr{}).named())
			}
		}
	case key.Kind == dataplane.Neighbor && n.bridge != 0:
		if _, known := h.rest[n.neighborSlot(key.IP)]; !known || !h.sure {
			return false
		}
		p.remove(h, owner, n, n.onBridge(key.IP, dataplane.MAC{}).named())
	case key.Kind == dataplane.Flood && n.vxlan != 0:
		p.remove(h, owner, n, n.inVXLAN(dataplane.MAC{}, key.IP))
	case key.Kind == dataplane.Port && n.ports[key.Port] != 0:
		p.message(owner, n.opening(key.Port, false), true)
	}
	return true
}

// expect has the kernel keep back what it will say of a MAC. What says a VLAN or a VNI, too, is told.
func (p *plan) expect(n *network, kind uint16, link int, mac dataplane.MAC, vtep address) {
	if n.vlan == 0 {
		p.echoes.expect(kind, link, mac, vtep)
	}
}
