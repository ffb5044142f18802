package linux

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// free takes ports that another configuration had elsewhere out of the bridges that we made for it: a port may have moved to another VN, or be tagged now, while we were
// not there to leave (Leave), or we failed halfway with another configuration and have this one again. Bridges of others are not touched.
func (k *Kernel) free(ctx context.Context, networks []dataplane.Network) error {
	inv, err := k.inventory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range networks {
		for _, p := range n.Ports {
			link, place := inv.links[p.Name], n.Bridge
			if p.Mode == dataplane.EBPF || p.Mode == dataplane.Dot1Q {
				place = "" // what stands for it in the VN is in the bridge
			}
			if link == nil || link.Attrs().MasterIndex == 0 {
				continue
			}
			in := inv.name(link.Attrs().MasterIndex)
			if b := inv.links[in]; in == place || b == nil || b.Attrs().Alias != madeHere {
				continue
			}
			if err := k.links.LinkSetNoMaster(link); err != nil && !errors.Is(err, unix.ENODEV) {
				errs = append(errs, fmt.Errorf("take %s out of %s, where it was: %w", p.Name, in, err))
			}
		}
	}
	return errors.Join(errs...)
}
