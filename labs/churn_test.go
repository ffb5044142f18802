package labs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/wait"
)

// site is where a VM can be: behind a hypervisor's port of an edge.
type site struct {
	node string // the hypervisor
	tes  string // its TES-ID
	edge string // the edge's node
	vtep string
	port string // of the edge
}

// sites of the engine lab.
var sites = []site{
	{"tes1", tes1, "edge1", edge1, "tes1-blue"},
	{"tes2", tes2, "edge1", edge1, "tes2-blue"},
	{"tes3", "198.51.100.13", "edge2", edge2, "tes3-blue"},
}

// whereabouts is where VMs are and in which state, as the operations that were answered left them. Its methods may be
// called by several goroutines.
type whereabouts struct {
	mu         sync.Mutex
	vms        map[string]placed // by VMID
	operations int
	groups     int // of VMs
}

// placed is a VM at a site.
type placed struct {
	vm    vm
	site  site
	state string // associated or suspended
}

func newWhereabouts() *whereabouts { return &whereabouts{vms: make(map[string]placed)} }

// fresh is a number from which on nobody else takes VMs.
func (w *whereabouts) fresh() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups++
	return 1000 * w.groups
}

// note an operation's result; state "" is nowhere.
func (w *whereabouts) note(v vm, s site, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operations++
	if state == "" {
		delete(w.vms, v.id)
	} else {
		w.vms[v.id] = placed{v, s, state}
	}
}

// all VMs that are somewhere, by VMID.
func (w *whereabouts) all() []placed {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []placed
	for _, p := range w.vms {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b placed) int { return slices.Compare([]byte(a.vm.id), []byte(b.vm.id)) })
	return all
}

// managers are VM managers at all sites, by node.
func (l lab) managers() map[string]*manager {
	l.t.Helper()
	all := make(map[string]*manager)
	for _, s := range sites {
		all[s.node] = l.manager(s.node)
	}
	return all
}

// failure is an operation that did not end as asked.
type failure struct {
	error
	vm vm
}

// explain logs what everybody knows of a VM whose operation failed.
func (l lab) explain(err error) {
	l.t.Helper()
	var f failure
	if !errors.As(err, &f) {
		return
	}
	for _, node := range []string{"edge1", "edge2", "tes1", "tes2", "tes3"} {
		text, err := l.Output(l.ctx, node, "tnsctl", "vm", "explain", f.vm.id)
		l.t.Logf("%s: %v\n%s", node, err, text)
	}
}

// manages leads VMs through lives of their own, one operation at a time, in a random order: they come, are suspended,
// migrate within an edge and between edges, and go, or stay what they are. It ends between two operations when done is
// closed, and with an error when an operation does not end as asked.
func manages(ctx context.Context, done <-chan struct{}, managers map[string]*manager, w *whereabouts, random *rand.Rand, first int) error {
	over := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	for n := first; !over(); n++ {
		v := newVM(n)
		at := sites[random.IntN(len(sites))]
		if err := managers[at.node].asks(ctx, v, tnsv1.Op_OP_ASSOCIATE, false); err != nil {
			return err
		}
		w.note(v, at, "associated")
		for range random.IntN(4) {
			if over() {
				return nil
			}
			m := managers[at.node]
			if random.IntN(3) == 0 {
				if err := m.asks(ctx, v, tnsv1.Op_OP_SUSPEND, false); err != nil {
					return err
				}
				w.note(v, at, "suspended")
				if over() {
					return nil
				}
				if err := m.asks(ctx, v, tnsv1.Op_OP_RESUME, false); err != nil {
					return err
				}
				w.note(v, at, "associated")
				continue
			}
			target := sites[random.IntN(len(sites))]
			if target == at {
				continue
			}
			if err := migrate(ctx, v, at, target, managers); err != nil {
				return err
			}
			w.note(v, target, "associated")
			at = target
		}
		if random.IntN(4) == 0 {
			continue // it stays
		}
		if err := managers[at.node].asks(ctx, v, tnsv1.Op_OP_TERMINATE, false); err != nil {
			return err
		}
		w.note(v, at, "")
	}
	return nil
}

// migrate moves a VM as a VM manager does. It has been there for long enough for the other edge to know.
func migrate(ctx context.Context, v vm, from, to site, managers map[string]*manager) error {
	source, target := managers[from.node], managers[to.node]
	if from.edge != to.edge {
		err := wait.Until(ctx, patience, "the FDB of "+to.edge, func() error {
			return fdb.Expect(target.l.Namespace(to.edge), device, v.mac, fdb.To(from.vtep))
		})
		if err != nil {
			return failure{err, v}
		}
	}
	for _, step := range []struct {
		at          *manager
		op          tnsv1.Op
		immigration bool
	}{
		{target, tnsv1.Op_OP_PRE_ASSOCIATE, true},
		{source, tnsv1.Op_OP_EMIGRATE, false},
		{target, tnsv1.Op_OP_ASSOCIATE, true},
		{source, tnsv1.Op_OP_TERMINATE, false},
	} {
		if err := step.at.asks(ctx, v, step.op, step.immigration); err != nil {
			return fmt.Errorf("migration from %s to %s: %w", from.node, to.node, err)
		}
	}
	return nil
}
