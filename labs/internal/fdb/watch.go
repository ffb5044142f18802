package fdb

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Change is one entry of a VXLAN device's own table that came (or changed its VTEP) or went.
type Change struct {
	At   time.Time
	VTEP netip.Addr
	Gone bool
}

// Watch tells what a kernel does with a MAC in the table of a VXLAN device, from now on. The channel is closed after stop
// was called; a reader that lags behind by more than the buffer loses changes.
func Watch(n *netns.Namespace, device string, mac net.HardwareAddr) (changes <-chan Change, stop func(), err error) {
	handle, err := n.Netlink()
	if err != nil {
		return nil, nil, err
	}
	defer handle.Close()
	link, err := handle.LinkByName(device)
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s:%s: %w", n.Name(), device, err)
	}
	updates, done := make(chan netlink.NeighUpdate, 1024), make(chan struct{})
	err = n.Do(func() error { return netlink.NeighSubscribe(updates, done) })
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s:%s: %w", n.Name(), device, err)
	}
	out := make(chan Change, 1024)
	go func() {
		defer close(out)
		for u := range updates {
			if u.LinkIndex != link.Attrs().Index || u.Flags&netlink.NTF_SELF == 0 || !bytes.Equal(u.HardwareAddr, mac) {
				continue
			}
			vtep, _ := netip.AddrFromSlice(u.IP)
			select {
			case out <- Change{At: time.Now(), VTEP: vtep.Unmap(), Gone: u.Type == unix.RTM_DELNEIGH}:
			default:
			}
		}
	}()
	return out, func() { close(done) }, nil
}
