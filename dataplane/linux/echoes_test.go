package linux

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// kept is a listener behind the filter of a Kernel's watcher.
func kept(t *testing.T, s space, k *Kernel) *listener {
	t.Helper()
	if k.watch.echoes == nil {
		_, err := keepEchoes(k.watch.fd, k.conn.port)
		t.Fatalf("own notifications are not kept back: %v", err)
	}
	l := s.listen(t)
	if err := k.watch.echoes.attach(l.socket.GetFd()); err != nil {
		t.Fatal(err)
	}
	l.heard(t)
	return l
}

// of is what was heard of entries with MACs of tests; devices are told of at any time.
func (l *listener) of(t *testing.T) (all []notification) {
	t.Helper()
	return slices.DeleteFunc(l.heard(t), func(n notification) bool {
		e, ok := parseNeigh(n.body)
		switch {
		case !ok || n.kind != unix.RTM_NEWNEIGH && n.kind != unix.RTM_DELNEIGH:
			return true
		case e.family == unix.AF_BRIDGE:
			return !bytes.HasPrefix(e.mac[:], []byte{2, 0})
		}
		return e.dst != entries()[3].IP && e.dst != entries()[4].IP
	})
}

// own is entries whose notifications are kept back.
func own() (all []dataplane.Entry) {
	all = append(bulk(500), entries()[:2]...)
	all = append(all, dataplanetest.Remote(10200, dataplane.MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("192.0.2.3")))
	return append(all, entries()[3:5]...)
}

func TestOwnEchoesAreKeptBack(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Listed(t, k)
	l := kept(t, s, k)
	moved := bulk(500)
	for i := range moved {
		moved[i].VTEP = netip.MustParseAddr("192.0.2.9")
	}
	keys := make([]dataplane.Key, 0)
	for _, e := range own() {
		keys = append(keys, e.Key)
	}
	heard := func(what string, limit int) {
		t.Helper()
		if all := l.of(t); len(all) > limit {
			t.Errorf("%s: %d notifications came, want at most %d: %d % x", what, len(all), limit, all[0].kind, all[0].body)
		}
	}
	dataplanetest.Apply(t, k, own(), nil)
	heard("set", 10) // the places of two in the table may be the same
	dataplanetest.Apply(t, k, moved, nil)
	heard("moved to another VTEP", 10)
	dataplanetest.Apply(t, k, nil, keys)
	heard("deleted", 10+2) // the kernel does not say who asked for a neighbour to go
	dataplanetest.Listed(t, k)
}

func TestForeignChangesAreNotKeptBack(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Listed(t, k)
	l := kept(t, s, k)
	dataplanetest.Apply(t, k, own(), nil)
	l.heard(t)
	for _, command := range []string{
		"bridge fdb del 02:00:00:00:00:01 dev blue1 master",
		"bridge fdb add 02:00:00:00:00:01 dev blue1 master extern_learn",
		"bridge fdb replace 02:00:00:00:00:02 dev vx10100 dst 192.0.2.7 self extern_learn",
		"bridge fdb del 02:00:00:00:00:02 dev vx10100 self",
		"ip neigh del 10.0.0.1 dev br10100",
	} {
		s.run(t, "%s", command)
		if len(l.of(t)) == 0 {
			t.Errorf("%s: no notification came", command)
		}
	}
}

// What could not be told because too much was is asked for before it is deleted.
func TestAfterAnOverrunTheKernelIsAsked(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Listed(t, k)
	e := entries()[0]
	dataplanetest.Apply(t, k, entries()[:1], nil)
	k.watch.mu.Lock() // nobody reads
	if err := unix.SetsockoptInt(k.watch.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1); err != nil {
		t.Fatal(err)
	}
	other, err := dial(s.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	var noise []message
	for i := range 100 {
		n := k.networks[10100].inBridge(dataplane.MAC{2, 1, 0, 0, 0, byte(i)}, k.networks[10100].ports["blue2"])
		n.flags = netlink.NTF_MASTER // nobody's business
		noise = append(noise, message{unix.RTM_NEWNEIGH, replacing, n.body()})
	}
	for _, r := range other.do(t.Context(), noise) {
		if r.err != nil {
			t.Fatal(r.err)
		}
	}
	w := world{space: s, k: k, mode: dataplane.EBPF}
	w.Tamper(t, e.Key)
	w.Foreign(t, e)
	k.watch.mu.Unlock()
	dataplanetest.Apply(t, k, nil, []dataplane.Key{e.Key})
	if !w.Holds(t, e) {
		t.Errorf("%v was removed, though it is not ours any more", e)
	}
}

// Where the bridge's half of an entry goes in the very moment in which the entry is deleted, the other half goes, too.
func TestDeletingHalfAnEntry(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Listed(t, k)
	all := bulk(3)
	dataplanetest.Apply(t, k, all, nil)
	deaf := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	if err := unix.SetsockoptSockFprog(k.watch.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &deaf[0]}); err != nil {
		t.Fatal(err)
	}
	w := world{space: s, k: k, mode: dataplane.EBPF}
	w.Tamper(t, all[1].Key)
	dataplanetest.Apply(t, k, nil, []dataplane.Key{all[0].Key, all[1].Key, all[2].Key})
	if out := s.run(t, "bridge fdb show dev vx10100"); hasLine(out, all[1].MAC) || hasLine(out, all[0].MAC) {
		t.Errorf("there still is\n%s", out)
	}
	dataplanetest.Listed(t, k)
}

// What another program writes in the same moment is kept back only if it says the same in all.
func TestOnlyWhatIsExpectedIsKeptBack(t *testing.T) {
	s, k := ready(t)
	l := kept(t, s, k)
	mac, vxlan := dataplane.MAC{2, 0, 0, 0, 0, 9}, k.networks[10100].vxlan
	k.watch.mu.Lock()
	k.watch.echoes.expect([]echo{echoOf(unix.RTM_NEWNEIGH, vxlan, mac, addressOf(netip.MustParseAddr("192.0.2.2")))})
	k.watch.mu.Unlock()
	for _, c := range []struct {
		command string
		kept    bool
	}{
		{"bridge fdb add 02:00:00:00:00:09 dev blue1 master extern_learn", false},
		{"bridge fdb replace 02:00:00:00:00:09 dev vx10100 master extern_learn", true},
		{"bridge fdb add 02:00:00:00:00:09 dev vx10100 dst 192.0.2.3 self extern_learn", false},
		{"bridge fdb replace 02:00:00:00:00:09 dev vx10100 dst 192.0.2.2 self extern_learn", true},
		{"bridge fdb del 02:00:00:00:00:09 dev vx10100 self", false},
		{"bridge fdb add 02:00:00:00:00:0a dev vx10100 dst 192.0.2.2 self extern_learn", false},
		{"bridge fdb add 02:00:00:00:00:09 dev vx10200 dst 192.0.2.2 self extern_learn", false},
		{"bridge fdb del 02:00:00:00:00:09 dev vx10100 master", false},
	} {
		s.run(t, "%s", c.command)
		if n := len(l.of(t)); (n == 0) != c.kept {
			t.Errorf("%s: %d notifications came, kept back %v", c.command, n, c.kept)
		}
	}
}

// Whoever hears of nothing any more does not rely on what was there.
func TestAfterTheLastNotificationTheKernelIsAsked(t *testing.T) {
	_, k := ready(t)
	dataplanetest.Listed(t, k)
	sure := func() bool {
		k.watch.mu.Lock()
		defer k.watch.mu.Unlock()
		return k.watch.held.sure
	}
	if !sure() {
		t.Fatal("what the kernel holds is not known after a full pass")
	}
	k.watch.mu.Lock()
	good := k.watch.fd
	k.watch.fd = -1
	k.watch.drain()
	k.watch.fd = good
	k.watch.mu.Unlock()
	dataplanetest.Listed(t, k)
	if sure() {
		t.Error("what the kernel holds counts as known, though it tells of no change any more")
	}
}
