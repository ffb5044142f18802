package linux

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// plan is the messages of several entries, in order. Its memory is used again and again.
type plan struct {
	room     int // for so many messages
	places   []place
	messages []message
	steps    []step // an element a message, as of the following
	echoes   []echo
	replies  []reply
	body     []byte // of all messages, one after the other

	// In a stream, the changes that it is for.
	sets    []dataplane.Entry
	deletes []dataplane.Key
	errs    []error // an element of sets, then of deletes
	ask     []int   // of deletes: what the kernel has to be asked about
}

// planned is how many messages are planned ahead while others are written. Each time one goroutine wakes the other.
const planned = 2 * batch

// sizeofEntry is of the body of a message about a MAC behind an IPv4 VTEP.
const sizeofEntry = 32

// step is what a message is for.
type step struct {
	owner    int      // the entry or key
	optional bool     // what it deletes may be gone
	both     bool     // it deletes from both tables, and does not get to the second if the first has nothing
	network  *network // of an entry; nil: it is about something else
}

// place is where an entry is, and what is held of its MAC.
type place struct {
	*network // nil: there is none
	at       macSlot
	was      macPlace
}

// look finds what is held under some keys, before any of them is worked on: with nothing in between, the processor waits for the memory of several of them at once.
func (p *plan) look(h *held, networks map[dataplane.VNI]*network, some int, key func(int) *dataplane.Key) []place {
	p.places = slices.Grow(p.places[:0], some)
	var n *network
	for i := range some {
		k := key(i)
		if n == nil || n.VNI != k.VNI {
			n = networks[k.VNI]
		}
		at := place{network: n}
		if n != nil && k.Kind == dataplane.Unicast {
			at.at = n.macSlot(k.MAC)
			at.was = h.macs.Get(at.at)
		}
		p.places = append(p.places, at)
	}
	return p.places
}

// full reports whether there may be no place for the messages of one more entry.
func (p *plan) full() bool { return len(p.messages) > p.room-2 }

// write sends the messages that fill plans, as long as there are more, and notes what they change. Each entry gets the first error of its messages. The
// answer is the owners of what was to be deleted from both tables and was not there: somebody else has been at it.
//
// While the kernel works on one plan, the next is made.
func (k *Kernel) write(ctx context.Context, errs []error, fill func(p *plan, h *held) (more bool)) (lost []int) {
	p := &k.plans[0]
	more := k.make(p, batch, fill)
	if !more {
		k.send(ctx, p)
		return k.settle(p, errs, nil)
	}
	w := k.startWriter(ctx, len(k.plans))
	w.made <- p
	for i := 1; more; i++ {
		p := &k.plans[i%len(k.plans)]
		if i >= len(k.plans) {
			lost = k.settle(<-w.sent, errs, lost) // p, as it was
		}
		more = k.make(p, planned, fill)
		w.made <- p
	}
	close(w.made)
	for p := range w.sent {
		lost = k.settle(p, errs, lost)
	}
	return lost
}

// writer writes plans, in order.
type writer struct {
	made chan *plan // closed by who makes them
	sent chan *plan // closed when all are written
}

// startWriter starts one that has at most so many plans at a time.
func (k *Kernel) startWriter(ctx context.Context, most int) *writer {
	w := &writer{make(chan *plan, most), make(chan *plan, most)}
	go func() {
		defer close(w.sent)
		for p := range w.made {
			k.send(ctx, p)
			w.sent <- p
		}
	}()
	return w
}

// begin empties it, and gives it room for so many messages.
func (p *plan) begin(room int) {
	p.room = room
	p.messages, p.steps, p.echoes = slices.Grow(p.messages[:0], room), slices.Grow(p.steps[:0], room), slices.Grow(p.echoes[:0], room)
	p.replies, p.body = slices.Grow(p.replies[:0], room), slices.Grow(p.body[:0], room*sizeofEntry)
}

// make fills a plan, with what is held now.
func (k *Kernel) make(p *plan, room int, fill func(p *plan, h *held) (more bool)) (more bool) {
	p.begin(room)
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	k.watch.drain()
	return fill(p, &k.watch.held)
}

// send hands a plan to the kernel, which has done what it asks for then.
func (k *Kernel) send(ctx context.Context, p *plan) {
	p.replies = slices.Grow(p.replies[:0], len(p.messages))[:len(p.messages)]
	clear(p.replies)
	for first := 0; first < len(p.messages); first += batch {
		end := min(first+batch, len(p.messages))
		k.watch.echoes.expect(p.echoes[first:end])
		k.conn.into(ctx, p.messages[first:end], p.replies[first:end])
		k.watch.echoes.forget(p.echoes[first:end])
	}
}

// settle takes what the kernel has said to a plan.
func (k *Kernel) settle(p *plan, errs []error, lost []int) []int {
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
		if e, ok := parseNeigh(p.messages[i].body); ok && s.network != nil && !(s.optional && gone) {
			k.watch.doubt(s.network, e, s.optional)
		}
	}
	return lost
}

// message adds a message that is no entry's.
func (p *plan) message(owner int, m message, optional bool) {
	p.messages = append(p.messages, m)
	p.steps = append(p.steps, step{owner: owner, optional: optional})
	p.echoes = append(p.echoes, echo{})
}

// neigh adds a message about an entry.
func (p *plan) neigh(s step, e *neigh, kind, flags uint16) {
	begin := len(p.body)
	p.body = e.append(p.body) // where it grows, those before keep the old one
	p.messages = append(p.messages, message{kind, flags, p.body[begin:]})
	p.steps = append(p.steps, s)
	p.echoes = append(p.echoes, echo{})
}

// replace sets an entry, whatever is there.
func (p *plan) replace(owner int, n *network, e neigh) {
	p.neigh(step{owner: owner, network: n}, &e, unix.RTM_NEWNEIGH, replacing)
}

// remove deletes an entry that may be gone.
func (p *plan) remove(h *held, owner int, n *network, e neigh) {
	h.drop(n, e)
	p.neigh(step{owner: owner, network: n, optional: true}, &e, unix.RTM_DELNEIGH, 0)
}

// set adds the messages that set an entry.
func (p *plan) set(h *held, owner int, to *place, e *dataplane.Entry) {
	n := to.network
	switch e.Kind {
	case dataplane.Unicast:
		p.setMAC(h, owner, to, e)
	case dataplane.Flood:
		h.rest[n.floodSlot(e.IP)] = dataplane.MAC{}
		e := n.inVXLAN(dataplane.MAC{}, e.IP)
		p.neigh(step{owner: owner, network: n}, &e, unix.RTM_NEWNEIGH, adding)
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
func (p *plan) setMAC(h *held, owner int, to *place, e *dataplane.Entry) {
	n, at, was, vtep := to.network, to.at, to.was, addressOf(e.VTEP)
	if e.LocalPort != "" {
		port := n.ports[e.LocalPort]
		h.place(at, macPlace{port: int32(port)})
		p.replace(owner, n, n.inBridge(e.MAC, port))
		if n.vxlan != 0 && (!h.sure || was.port == doubtful || was.vtep.valid()) {
			p.remove(h, owner, n, n.inVXLAN(e.MAC, netip.Addr{}))
			return
		}
		p.expect(n, unix.RTM_NEWNEIGH, port, e.MAC, address{})
		return
	}
	h.place(at, macPlace{int32(n.vxlan), vtep})
	if !h.sure || was.port != 0 && was.port != int32(n.vxlan) {
		p.replace(owner, n, n.inVXLAN(e.MAC, e.VTEP))
		p.expect(n, unix.RTM_NEWNEIGH, n.vxlan, e.MAC, vtep)
		p.replace(owner, n, n.inBridge(e.MAC, n.vxlan))
	} else {
		p.replace(owner, n, n.inBoth(e.MAC, e.VTEP))
	}
	p.expect(n, unix.RTM_NEWNEIGH, n.vxlan, e.MAC, vtep)
}

// unset adds the messages that delete what is under a key. It reports false if the kernel has to be asked first what is there, and whether it is ours.
func (p *plan) unset(h *held, owner int, from *place, key *dataplane.Key) bool {
	n := from.network
	switch {
	case n == nil:
	case key.Kind == dataplane.Unicast && n.bridge != 0:
		at, was := from.at, from.was
		switch {
		case !h.sure || was.port == 0 || was.port == doubtful:
			return false
		case was.port == int32(n.vxlan) && was.vtep.valid():
			h.place(at, macPlace{})
			e := n.inBoth(key.MAC, netip.Addr{})
			p.neigh(step{owner: owner, network: n, optional: true, both: true}, &e, unix.RTM_DELNEIGH, 0)
			p.expect(n, unix.RTM_DELNEIGH, n.vxlan, key.MAC, was.vtep)
		default:
			p.remove(h, owner, n, n.inBridge(key.MAC, int(was.port)).named())
			p.expect(n, unix.RTM_DELNEIGH, int(was.port), key.MAC, address{})
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

// expect has the kernel keep back what it will say of a MAC in the last message. What says a VLAN or a VNI, too, is told.
func (p *plan) expect(n *network, kind uint16, link int, mac dataplane.MAC, vtep address) {
	if n.vlan == 0 {
		p.echoes[len(p.echoes)-1] = echoOf(kind, link, mac, vtep)
	}
}
