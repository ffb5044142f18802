package linux

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// TryModes tries which modes of a port this kernel can, in a network namespace that is gone afterwards: by mode, why it cannot, or nil. It needs root.
func TryModes(ctx context.Context) map[dataplane.Mode]error {
	all := make(map[dataplane.Mode]error)
	for _, m := range []dataplane.Mode{dataplane.Access, dataplane.Dot1Q, dataplane.VLANAware, dataplane.EBPF} {
		all[m] = tryMode(ctx, m)
	}
	return all
}

// tryMode has a network on a port of the mode, whose other end is there too.
func tryMode(ctx context.Context, m dataplane.Mode) error {
	ns, err := ownNamespace()
	if err != nil {
		return fmt.Errorf("make a network namespace to try it in: %w", err)
	}
	defer ns.Close()
	links, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer links.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "port"
	if err := links.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer"}); err != nil {
		return fmt.Errorf("make a port to try it with: %w", err)
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	k, err := New(Options{Namespace: &ns, Log: quiet})
	if err != nil {
		return err
	}
	defer k.Close()
	n := dataplane.Network{
		VNI: 1, Name: "try", Bridge: "bridge", VXLAN: "vxlan", VTEP: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Ports: []dataplane.MemberPort{{Name: "port", Mode: m}},
	}
	if err := k.Ensure(ctx, []dataplane.Network{n}); err != nil || !m.Tagged() {
		return err
	}
	tag := dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Tag, VNI: n.VNI, Port: "port"}, VIDs: dataplane.VIDs{Send: 100}}
	return k.Apply(ctx, []dataplane.Entry{tag}, nil)[0]
}

// ownNamespace makes a network namespace without a name.
func ownNamespace() (ns netns.NsHandle, err error) {
	made := make(chan struct{})
	go func() {
		defer close(made)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine
		ns, err = netns.New()
	}()
	<-made
	return ns, err
}
