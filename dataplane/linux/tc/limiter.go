package tc

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// Limiter keeps the limits of VMs on bridge ports. Its methods are idempotent; the caller keeps them from running at the same time.
type Limiter struct {
	links *netlink.Handle
	ports map[string]*port // by device, where there are programs
}

// port is a device with programs and their map, as long as it is the same.
type port struct {
	index  int
	limits *ebpf.Map
}

// Prepare makes a place for programs on a device that nothing goes through yet. Set would make it, too, but while the kernel does that the device sends nothing:
// what others send to it is lost.
func (l *Limiter) Prepare(link netlink.Link) error { return clsact(l.links, link) }

// Limits are those of a VM; a rate of zero is none.
type Limits struct{ From, To dataplane.Limit }

// NewLimiter takes a netlink socket of the namespace to work in. It changes nothing.
func NewLimiter(links *netlink.Handle) *Limiter {
	return &Limiter{links: links, ports: make(map[string]*port)}
}

// Close lets go of the maps; the kernel keeps them.
func (l *Limiter) Close() {
	for device, p := range l.ports {
		p.limits.Close()
		delete(l.ports, device)
	}
}

// Set makes these the limits of a VM on a device, at once for the next frame. A limit that is the same goes on where it is.
func (l *Limiter) Set(device string, mac dataplane.MAC, limits Limits) error {
	p, err := l.port(device, limits != Limits{})
	if p == nil || err != nil {
		return err
	}
	for _, d := range []struct {
		key   bucketKey
		limit dataplane.Limit
	}{{bucketKey{MAC: mac}, limits.From}, {bucketKey{MAC: mac, To: 1}, limits.To}} {
		var b bucket
		err := p.limits.Lookup(d.key, &b)
		switch {
		case err != nil && !errors.Is(err, ebpf.ErrKeyNotExist):
			return fmt.Errorf("read the limit of %v on %s: %w", mac, device, err)
		case d.limit.Rate == 0 && err != nil, err == nil && d.limit == b.limit():
			continue
		case d.limit.Rate == 0:
			err = p.limits.Delete(d.key)
			if errors.Is(err, ebpf.ErrKeyNotExist) {
				err = nil
			}
		default:
			n := newBucket(d.limit)
			n.Frames, n.Octets = b.Frames, b.Octets
			err = p.limits.Put(d.key, n)
		}
		if err != nil {
			return fmt.Errorf("set the limit of %v on %s: %w", mac, device, err)
		}
	}
	return nil
}

// Leave takes the programs from a device, with all limits. The place that Prepare made stays: another may use it.
func (l *Limiter) Leave(device string) error {
	if p := l.ports[device]; p != nil {
		p.limits.Close()
		delete(l.ports, device)
	}
	link, err := l.links.LinkByName(device)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find %s: %w", device, err)
	}
	return errors.Join(detach(l.links, link, in), detach(l.links, link, out))
}

// List is the limits on a device, by VM; nil where there are no programs of ours.
func (l *Limiter) List(device string) (map[dataplane.MAC]Limits, error) {
	all := make(map[dataplane.MAC]Limits)
	err := l.each(device, func(k bucketKey, b bucket) {
		v := all[k.MAC]
		if k.To == 0 {
			v.From = b.limit()
		} else {
			v.To = b.limit()
		}
		all[k.MAC] = v
	})
	return all, err
}

// Dropped is what was dropped of a VM's frames on a device: from it, and to it.
func (l *Limiter) Dropped(device string) (from, to map[dataplane.MAC]dataplane.Counted, err error) {
	from, to = make(map[dataplane.MAC]dataplane.Counted), make(map[dataplane.MAC]dataplane.Counted)
	err = l.each(device, func(k bucketKey, b bucket) {
		into := from
		if k.To != 0 {
			into = to
		}
		into[k.MAC] = dataplane.Counted{Frames: b.Frames, Octets: b.Octets}
	})
	return from, to, err
}

func (l *Limiter) each(device string, f func(k bucketKey, b bucket)) error {
	p, err := l.port(device, false)
	if p == nil || err != nil {
		return err
	}
	var k bucketKey
	var b bucket
	all := p.limits.Iterate()
	for all.Next(&k, &b) {
		f(k, b)
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("list the limits on %s: %w", device, err)
	}
	return nil
}

// port is a device with both programs. With make they are made, or put right; without it is nil if one is missing.
func (l *Limiter) port(device string, make bool) (*port, error) {
	link, err := l.links.LinkByName(device)
	if err != nil {
		if errors.As(err, &netlink.LinkNotFoundError{}) && !make {
			return nil, nil
		}
		return nil, fmt.Errorf("find %s: %w", device, err)
	}
	first, err := attached(l.links, link, in)
	if err != nil {
		return nil, err
	}
	second, err := attached(l.links, link, out)
	if err != nil {
		return nil, err
	}
	known := l.ports[device]
	if known != nil && (known.index != link.Attrs().Index || first == nil || second == nil) {
		known.limits.Close()
		delete(l.ports, device)
		known = nil
	}
	switch {
	case known != nil:
		return known, nil
	case first != nil && second != nil:
		m, err := mapOf(first, mapName)
		if err != nil {
			return nil, fmt.Errorf("find the limits on %s: %w", device, err)
		}
		l.ports[device] = &port{link.Attrs().Index, m}
	case make:
		m, err := l.make(link)
		if err != nil {
			return nil, fmt.Errorf("have limits on %s: %w", device, err)
		}
		l.ports[device] = &port{link.Attrs().Index, m}
	}
	return l.ports[device], nil
}

// make attaches both programs, with a map that is empty.
func (l *Limiter) make(link netlink.Link) (m *ebpf.Map, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift the limit of locked memory: %w", err)
	}
	if err := clsact(l.links, link); err != nil {
		return nil, err
	}
	if m, err = limits(); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		hook hook
		name string
		to   bool
	}{{in, "tns_limit_in", false}, {out, "tns_limit_out", true}} {
		p, err := limiter(m, d.name, d.to)
		if err == nil {
			err = attach(l.links, link, d.hook, p)
			p.Close()
		}
		if err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}
