package labs_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/wait"
)

// Who watches in lab express: an edge with express sessions, one without, and one whose password is another.
const (
	near  = "near"
	far   = "far"
	wrong = "wrong"
)

// TestExpress: what edges tell each other directly is in the kernel of one before FRR's reflector has told it to another; the end of such a session changes
// nothing, nor does its coming back; and whoever has not the password is told by the reflector.
func TestExpress(t *testing.T) {
	l := deploy(t, "express/topology.clab.yml")
	direct := map[string][]string{"edge1": {edge2, "192.0.2.3"}, "edge2": {edge1, "192.0.2.3"}, near: {edge1, edge2}}
	for node, peers := range direct {
		for _, p := range peers {
			l.hasSession(node, p, true)
		}
	}
	managers := []*manager{l.manager("tes1"), l.manager("tes2")}
	edges := []string{edge1, edge2}
	l.established("tes1", 1)
	l.established("tes2", 1)

	t.Run("ahead of the reflector", func(t *testing.T) {
		l := l.in(t)
		var added, moved, removed race
		for i := range 9 {
			v := newVM(10 + i)
			watch := l.watch(v.mac, near, far)
			managers[0].does(v, tnsv1.Op_OP_ASSOCIATE, false)
			watch.until(&added, fdb.To(edges[0]))
			managers[1].does(v, tnsv1.Op_OP_PRE_ASSOCIATE, true)
			managers[0].does(v, tnsv1.Op_OP_EMIGRATE, false)
			managers[1].does(v, tnsv1.Op_OP_ASSOCIATE, true)
			watch.until(&moved, fdb.To(edges[1]))
			managers[0].does(v, tnsv1.Op_OP_TERMINATE, false)
			managers[1].does(v, tnsv1.Op_OP_TERMINATE, false)
			watch.until(&removed, fdb.None)
			watch.stop()
		}
		for what, r := range map[string]race{"add": added, "move": moved, "delete": removed} {
			slices.Sort(r)
			ahead := r[len(r)/2]
			t.Logf("%s: in the kernel with the express path %.1f ms before that without (median of %d; %v)", what, milliseconds(ahead), len(r), r)
			if ahead <= 0 {
				t.Errorf("%s: the express path is not ahead of the reflector: %v", what, r)
			}
		}
	})

	resident := newVM(1)
	managers[0].does(resident, tnsv1.Op_OP_ASSOCIATE, false)
	for _, node := range []string{near, far, wrong, "edge2"} {
		l.knows(node, resident.mac, fdb.To(edge1))
	}

	t.Run("another password", func(t *testing.T) {
		l := l.in(t)
		all, err := l.sessions(wrong)
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for _, s := range all {
			if s.Peer == "192.0.2.254" {
				continue
			}
			if tried++; s.Sessions > 0 {
				t.Errorf("a session with another password: %+v", s)
			}
		}
		if tried == 0 {
			t.Errorf("no express session was tried: %+v", all)
		}
	})

	t.Run("the end of the sessions", func(t *testing.T) {
		l := l.in(t)
		changes, stop, err := fdb.Watch(l.Namespace(near), device, resident.mac)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		l.run(near, "nft", "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in tcp dport 1179 drop; add rule inet cut in tcp sport 1179 drop")
		l.hasSession(near, edge1, false)
		l.hasSession(near, edge2, false)
		v := newVM(2)
		managers[0].does(v, tnsv1.Op_OP_ASSOCIATE, false)
		l.knows(near, v.mac, fdb.To(edge1))
		managers[0].does(v, tnsv1.Op_OP_TERMINATE, false)
		l.knows(near, v.mac, fdb.None)
		l.run(near, "nft", "delete table inet cut")
		l.hasSession(near, edge1, true)
		l.hasSession(near, edge2, true)
		managers[0].does(v, tnsv1.Op_OP_ASSOCIATE, false)
		l.knows(near, v.mac, fdb.To(edge1))
		select {
		case c := <-changes:
			t.Errorf("an entry that nobody changed has changed: %+v", c)
		default:
		}
	})
}

// hasSession waits until a session with a peer is established, or is not.
func (l lab) hasSession(node, peer string, want bool) {
	l.t.Helper()
	err := wait.Until(l.ctx, 4*patience, fmt.Sprintf("session of %s with %s established: %t", node, peer, want), func() error {
		all, err := l.sessions(node)
		if err != nil {
			return err
		}
		up := slices.ContainsFunc(all, func(s session) bool { return s.Peer == peer && s.up() && s.Engine == "established" })
		if up != want {
			return fmt.Errorf("%+v", all)
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// race is by how much the first node was ahead of the second, each time.
type race []time.Duration

// watched is two nodes whose kernels are watched for a MAC.
type watched struct {
	l         lab
	observers []*fdb.Observer
	mac       fdb.MAC
}

func (l lab) watch(mac net.HardwareAddr, nodes ...string) *watched {
	l.t.Helper()
	w := &watched{l: l, mac: fdb.MAC(mac)}
	for _, n := range nodes {
		o, err := fdb.Observe(l.Namespace(n), device)
		if err != nil {
			l.t.Fatal(err)
		}
		w.observers = append(w.observers, o)
	}
	return w
}

func (w *watched) stop() {
	for _, o := range w.observers {
		o.Close()
	}
}

// until waits for both to have the MAC where it is to be.
func (w *watched) until(r *race, where fdb.Remote) {
	w.l.t.Helper()
	var at []time.Time
	for _, o := range w.observers {
		ctx, cancel := context.WithTimeout(w.l.ctx, patience)
		when, err := o.Await(ctx, device, w.mac, where.VTEP)
		cancel()
		if err != nil {
			w.l.t.Fatal(err)
		}
		at = append(at, when)
	}
	*r = append(*r, at[1].Sub(at[0]))
}
