package fdb_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/netns"
)

// space makes a namespace with a VXLAN device and a port in a bridge.
func space(t *testing.T) *netns.Namespace {
	t.Helper()
	n, err := netns.Create(fmt.Sprint("fdb", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Delete() })
	handle, err := n.Netlink()
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	add := func(l netlink.Link) {
		t.Helper()
		if err := handle.LinkAdd(l); err != nil {
			t.Fatal(err)
		}
		if err := handle.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	attributes := func(name string, master int) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Name, a.MasterIndex = name, master
		return a
	}
	bridge := &netlink.Bridge{LinkAttrs: attributes("br", 0)}
	add(bridge)
	add(&netlink.Vxlan{LinkAttrs: attributes("vx", bridge.Index), VxlanId: 7, Port: 4789, SrcAddr: []byte{192, 0, 2, 1}})
	add(&netlink.Veth{LinkAttrs: attributes("port", bridge.Index), PeerName: "peer"})
	return n
}

// observed is a namespace's observer, a writer, and its VXLAN device.
func observed(t *testing.T) (o *fdb.Observer, w *fdb.Writer, vx int) {
	t.Helper()
	n := space(t)
	o, err := fdb.Observe(n, "vx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	if w, err = fdb.NewWriter(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if vx, err = w.Device("vx"); err != nil {
		t.Fatal(err)
	}
	return o, w, vx
}

func TestObserver(t *testing.T) {
	o, w, vx := observed(t)
	port, err := w.Device("port")
	if err != nil {
		t.Fatal(err)
	}
	a, b := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	entries := func(device int, vtep netip.Addr) (all []fdb.Entry) {
		for i := range 1000 { // several batches
			all = append(all, fdb.Entry{Device: device, MAC: fdb.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, VTEP: vtep})
		}
		return all
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var last time.Time
	expect := func(what string, at time.Time, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !at.After(last) || at.After(time.Now()) {
			t.Errorf("%s: at %v, want between %v and now", what, at, last)
		}
		last = at
	}

	// A port's entry is none behind the VXLAN device; one in one of the tables alone is none either.
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(w.Set(entries(port, netip.Addr{})...))
	do(w.Set(entries(vx, a)...))
	at, err := o.AwaitCount(ctx, a, 1000)
	expect("all behind one", at, err)
	do(w.Set(entries(vx, b)[:400]...))
	at, err = o.AwaitCount(ctx, b, 400)
	expect("some moved", at, err)
	if _, err := o.AwaitCount(ctx, a, 600); err != nil {
		t.Error(err)
	}
	o.Lowest(b)
	at, err = o.Await(ctx, "vx", fdb.MAC{2, 0, 0, 0, 1, 0x8f}, b) // the 400th
	expect("the last that moved", at.Add(time.Nanosecond), err)
	do(w.Delete(entries(vx, b)[:400]...))
	at, err = o.AwaitCount(ctx, netip.Addr{}, 400)
	expect("gone", at, err)
	if here, gone := o.Count(a), o.Count(netip.Addr{}); here != 600 || gone != 400 {
		t.Errorf("%d are there and %d gone, want 600 and 400", here, gone)
	}
	if n := o.Lowest(b); n != 0 {
		t.Errorf("there were never less than %d, all have gone", n)
	}
	if n := o.Lowest(a); n != 0 {
		t.Errorf("asked for the first time: %d, want 0", n)
	}
	if n := o.Lowest(a); n != 600 {
		t.Errorf("nothing has changed: %d, want 600", n)
	}
	if _, err = o.Await(ctx, "vx", fdb.MAC{2}, netip.Addr{}); err != nil {
		t.Error(err)
	}

	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	if _, err := o.Await(short, "vx", fdb.MAC{2, 0, 0, 0, 2, 0}, b); err == nil {
		t.Error("a MAC is behind a VTEP that it did not move to")
	}
	if err := w.Delete(entries(vx, b)[:1]...); err == nil {
		t.Error("deleting what is gone is no error")
	}
}

// An observer that has no turn for long still tells when it was: here it is made to wait before it reads what the kernel tells.
func TestTimesAreTheKernels(t *testing.T) {
	o, w, vx := observed(t)
	vtep := netip.MustParseAddr("192.0.2.2")
	for i := range byte(3) {
		e := fdb.Entry{Device: vx, MAC: fdb.MAC{2, 5: i}, VTEP: vtep}
		resume := o.Pause()
		err := w.Set(fdb.Entry{Device: vx, MAC: fdb.MAC{2, 1, 5: i}, VTEP: vtep}) // at which it stands
		before := time.Now()
		err = errors.Join(err, w.Set(e))
		after := time.Now()
		for !time.Now().After(after) { // until the clock goes on
		}
		resume()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		at, err := o.Await(ctx, "vx", e.MAC, vtep)
		cancel()
		if err != nil || at.Before(before) || at.After(after) {
			t.Errorf("%d: at %v, %v, want between %v and %v", i, at, err, before, after)
		}
	}
}
