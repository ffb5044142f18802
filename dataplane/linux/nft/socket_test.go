package nft

import (
	"errors"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// namespace is an empty network namespace with a device p1.
func namespace(t testing.TB) netns.NsHandle {
	t.Helper()
	runtime.LockOSThread() // not unlocked: the thread ends with its goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "p1"}, PeerName: "vm1"}); err != nil {
		t.Fatal(err)
	}
	return ns
}

// A transaction is done as a whole or refused with what the kernel says, wherever in it the mistake is; the next one goes through.
func TestTransaction(t *testing.T) {
	c, err := dial(namespace(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	generation := func() uint32 {
		n, err := c.generation()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := generation()
	nothing := &nftables.Set{Table: ourTable(), Name: "nothing"}
	for _, mistakeAt := range []int{0, 1, 2} {
		c.AddTable(ourTable()) // whatever refers to it
		for i := range 3 {
			if i == mistakeAt {
				c.DelSet(nothing)
			} else if err := c.AddSet(sourceSet("p1"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.flush(); !errors.Is(err, unix.ENOENT) {
			t.Errorf("a mistake as number %d: %v, want %v", mistakeAt, err, unix.ENOENT)
		}
	}
	if now := generation(); now != before {
		t.Errorf("refused transactions have made generation %d of %d", now, before)
	}
	c.AddTable(ourTable())
	if err := c.AddSet(sourceSet("p1"), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.flush(); err != nil {
		t.Fatal(err)
	}
	if now := generation(); now != before+1 {
		t.Errorf("a transaction has made generation %d of %d", now, before)
	}
	sets, err := c.read.GetSets(ourTable())
	if err != nil || len(sets) != 1 || sets[0].Name != "p1" {
		t.Errorf("sets %v, %v", sets, err)
	}
}

// BenchmarkChange is a source that comes, or goes.
func BenchmarkChange(b *testing.B) {
	table, err := Open(namespace(b))
	if err != nil {
		b.Fatal(err)
	}
	defer table.Close()
	if err := table.Ensure([]string{"p1"}, nil, func(string) ([]dataplane.MAC, error) { return nil, nil }); err != nil {
		b.Fatal(err)
	}
	source := []Source{{Device: "p1", MAC: dataplane.MAC{2, 0, 0, 0, 0, 1}}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		add, del := source, []Source(nil)
		if i%2 == 1 {
			add, del = nil, source
		}
		if err := table.Change(add, del); err != nil {
			b.Fatal(err)
		}
	}
}
