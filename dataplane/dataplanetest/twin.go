package dataplanetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tns-project/tns/dataplane"
)

// Twin is a dataplane.Kernel in memory. It is safe for concurrent use.
type Twin struct {
	mu       sync.Mutex
	changes  chan struct{} // made when it is first asked for, so that it belongs to the test that runs then
	networks map[dataplane.VNI]dataplane.Network
	gone     map[dataplane.VNI]bool // the VXLAN device was deleted since Ensure
	entries  map[dataplane.Key]held
	drops    map[dataplane.Key]uint64
	counters map[dataplane.Key]dataplane.Counters
	fault    func(op Op, k dataplane.Key) error
	log      []string
	applies  int
}

// held is an entry in the twin's kernel.
type held struct {
	dataplane.Entry
	marked bool
}

// Op is what a kernel is asked to do, for faults and the log.
type Op string

// The operations.
const (
	Set  Op = "set"
	Del  Op = "del"
	List Op = "list"
)

// New makes a twin without devices.
func New() *Twin {
	return &Twin{
		networks: make(map[dataplane.VNI]dataplane.Network),
		gone:     make(map[dataplane.VNI]bool),
		entries:  make(map[dataplane.Key]held),
		drops:    make(map[dataplane.Key]uint64),
		counters: make(map[dataplane.Key]dataplane.Counters),
	}
}

// Ensure notes the networks.
func (t *Twin) Ensure(ctx context.Context, networks []dataplane.Network) error {
	if err := dataplane.ValidateNetworks(networks); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.networks)
	clear(t.gone)
	for _, n := range networks {
		t.networks[n.VNI] = n
	}
	return nil
}

// List returns the marked entries, after making deleted devices again.
func (t *Twin) List(ctx context.Context) ([]dataplane.Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.failure(List, dataplane.Key{}); err != nil {
		return nil, err
	}
	clear(t.gone)
	var all []dataplane.Entry
	for _, h := range t.entries {
		if h.marked {
			all = append(all, h.Entry.Listed())
		}
	}
	return all, nil
}

// Apply sets, then deletes; policies come into force before everything else and go out of force after it.
func (t *Twin) Apply(ctx context.Context, set []dataplane.Entry, del []dataplane.Key) []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applies++
	errs := make([]error, len(set)+len(del))
	without := make(map[dataplane.Key]error) // by the key of the unicast entry: why its policy is not in force
	sets := func(which func(e dataplane.Entry) bool) {
		for i, e := range set {
			if which(e) {
				errs[i] = t.set(ctx, e, without[e.Key])
				if e.InForce && errs[i] != nil {
					without[dataplane.Key{Kind: dataplane.Unicast, VNI: e.VNI, MAC: e.MAC}] = errs[i]
				}
			}
		}
	}
	dels := func(which func(k dataplane.Key) bool) {
		for i, k := range del {
			if which(k) {
				errs[len(set)+i] = t.del(ctx, k)
			}
		}
	}
	sets(func(e dataplane.Entry) bool { return e.Kind == dataplane.Policy && e.InForce })
	sets(func(e dataplane.Entry) bool { return e.Kind != dataplane.Policy })
	dels(func(k dataplane.Key) bool { return k.Kind != dataplane.Policy })
	sets(func(e dataplane.Entry) bool { return e.Kind == dataplane.Policy && !e.InForce })
	dels(func(k dataplane.Key) bool { return k.Kind == dataplane.Policy })
	return errs
}

func (t *Twin) set(ctx context.Context, e dataplane.Entry, without error) error {
	t.log = append(t.log, fmt.Sprintf("%s %v", Set, e))
	n, ok := t.networks[e.VNI]
	err := errors.Join(ctx.Err(), e.Validate(), t.failure(Set, e.Key))
	if e.LocalPort != "" {
		err = errors.Join(err, without)
	}
	port := e.LocalPort + e.Key.Port
	member, isMember := n.Port(port)
	switch {
	case err != nil:
	case !ok:
		err = fmt.Errorf("there is no network with VNI %d", e.VNI)
	case t.gone[e.VNI]:
		err = fmt.Errorf("%s: no such device", n.VXLAN)
	case port != "" && !isMember:
		err = fmt.Errorf("%s is no port of %s", port, n.Bridge)
	case e.Kind == dataplane.Tag && !member.Mode.Tagged():
		err = fmt.Errorf("%s is no tagged port of %s", port, n.Bridge)
	case e.Kind == dataplane.Tag && t.vidTaken(e) != nil:
		err = t.vidTaken(e)
	case e.Absent():
		delete(t.entries, e.Key)
		return nil
	default:
		t.entries[e.Key] = held{e, true}
		return nil
	}
	return fmt.Errorf("set %v: %w", e, err)
}

// vidTaken tells which VN has one of a Tag entry's VIDs on the port already.
func (t *Twin) vidTaken(e dataplane.Entry) error {
	for k, h := range t.entries {
		if k.Kind != dataplane.Tag || k.Port != e.Key.Port || k.VNI == e.VNI {
			continue
		}
		for _, vid := range []uint16{e.VIDs.Send, e.VIDs.Also} {
			if h.VIDs.Has(vid) {
				return fmt.Errorf("VID %d on %s is VN %d's", vid, k.Port, k.VNI)
			}
		}
	}
	return nil
}

func (t *Twin) del(ctx context.Context, k dataplane.Key) error {
	t.log = append(t.log, fmt.Sprintf("%s %v", Del, k))
	if err := errors.Join(ctx.Err(), t.failure(Del, k)); err != nil {
		return fmt.Errorf("delete %v: %w", k, err)
	}
	if t.entries[k].marked {
		delete(t.entries, k)
		delete(t.counters, k)
	}
	return nil
}

func (t *Twin) failure(op Op, k dataplane.Key) error {
	if t.fault == nil {
		return nil
	}
	return t.fault(op, k)
}

// Changes signals Tamper, Foreign and DeleteVXLAN.
func (t *Twin) Changes() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes == nil {
		t.changes = make(chan struct{}, 1)
	}
	return t.changes
}

func (t *Twin) changed() {
	select {
	case t.changes <- struct{}{}:
	default:
	}
}

// Drops is what Drop counted.
func (t *Twin) Drops(ctx context.Context) (map[dataplane.Key]uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.drops), nil
}

// Drop counts a frame dropped on a port of a VN.
func (t *Twin) Drop(vni dataplane.VNI, port string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drops[dataplane.Key{Kind: dataplane.Port, VNI: vni, Port: port}]++
}

// Counters is what Count counted, with a place for each rule.
func (t *Twin) Counters(ctx context.Context, keys ...dataplane.Key) (map[dataplane.Key]dataplane.Counters, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[dataplane.Key]dataplane.Counters)
	for k, h := range t.entries {
		if k.Kind != dataplane.Policy || !h.marked || len(keys) > 0 && !slices.Contains(keys, k) {
			continue
		}
		c := t.counters[k]
		c.From = append(make([]dataplane.Counted, 0), c.From...)
		c.To = append(make([]dataplane.Counted, 0), c.To...)
		if h.Policy != nil {
			c.From = append(c.From, make([]dataplane.Counted, max(0, len(h.Policy.From.Rules)-len(c.From)))...)
			c.To = append(c.To, make([]dataplane.Counted, max(0, len(h.Policy.To.Rules)-len(c.To)))...)
		}
		all[k] = c
	}
	return all, nil
}

// Count says what was counted for a policy.
func (t *Twin) Count(k dataplane.Key, c dataplane.Counters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters[k] = c
}

// Fail makes operations fail for which fault returns an error; nil ends it.
func (t *Twin) Fail(fault func(op Op, k dataplane.Key) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = fault
}

// EveryNth is a fault for Fail: each n-th operation, of whatever kind, fails.
func EveryNth(n int) func(Op, dataplane.Key) error {
	calls := 0
	return func(op Op, k dataplane.Key) error {
		if calls++; calls%n == 0 {
			return fmt.Errorf("injected fault in call %d", calls)
		}
		return nil
	}
}

// Foreign puts an entry into the kernel as another program would: without our mark.
func (t *Twin) Foreign(e dataplane.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[e.Key] = held{e, false}
	t.changed()
}

// Stale puts an entry into the kernel that carries our mark and that this run did not ask for.
func (t *Twin) Stale(e dataplane.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[e.Key] = held{e, true}
}

// Tamper removes an entry behind our back.
func (t *Twin) Tamper(k dataplane.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, k)
	t.changed()
}

// DeleteVXLAN removes a network's VXLAN device, and with it all that points through it.
func (t *Twin) DeleteVXLAN(vni dataplane.VNI) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone[vni] = true
	maps.DeleteFunc(t.entries, func(k dataplane.Key, h held) bool {
		return k.VNI == vni && (k.Kind == dataplane.Flood || h.VTEP.IsValid())
	})
	t.changed()
}

// Holds reports whether the kernel has exactly this entry, marked or not.
func (t *Twin) Holds(e dataplane.Entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.entries[e.Key]
	return ok && h.Entry.Equal(e) || !ok && e.Absent()
}

// Log is what was asked of the kernel since the last call, one line an operation, in order.
func (t *Twin) Log() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.log
	t.log = nil
	return log
}

// Applies is the number of calls of Apply.
func (t *Twin) Applies() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.applies
}

// String is the table as `bridge fdb`, `ip neigh` and `bridge link` print it, sorted by line.
func (t *Twin) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, h := range t.entries {
		lines = append(lines, t.lines(h)...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// lines is an entry in each table that holds it.
func (t *Twin) lines(h held) []string {
	n := t.networks[h.VNI]
	mark := "static"
	if h.marked {
		mark = "extern_learn"
	}
	switch {
	case h.Kind == dataplane.Unicast && h.LocalPort != "":
		return []string{fmt.Sprintf("%v dev %s %s master %s", h.MAC, h.LocalPort, mark, n.Bridge)}
	case h.Kind == dataplane.Unicast:
		return []string{
			fmt.Sprintf("%v dev %s %s master %s", h.MAC, n.VXLAN, mark, n.Bridge),
			fmt.Sprintf("%v dev %s dst %v self %s", h.MAC, n.VXLAN, h.VTEP, mark),
		}
	case h.Kind == dataplane.Flood:
		return []string{fmt.Sprintf("%v dev %s dst %v self permanent", dataplane.MAC{}, n.VXLAN, h.IP)}
	case h.Kind == dataplane.Neighbor:
		return []string{fmt.Sprintf("%v dev %s lladdr %v %s NOARP", h.IP, n.Bridge, h.LinkAddr, mark)}
	case h.Kind == dataplane.Policy:
		return []string{h.Entry.String()}
	}
	if h.Kind == dataplane.Tag {
		return []string{fmt.Sprintf("tag %s vid %v master %s", h.Key.Port, h.VIDs, n.Bridge)}
	}
	return []string{fmt.Sprintf("port %s master %s bcast_flood on mcast_flood on", h.Key.Port, n.Bridge)}
}
