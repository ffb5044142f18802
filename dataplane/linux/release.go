package linux

import (
	"context"
	"errors"

	"github.com/tns-project/tns/dataplane"
)

// releaseMoved takes ports that another configuration had elsewhere out of the bridges that we made for it: a port may have moved to another VN, or be tagged now, while
// we were not there to leave (Leave), or we failed halfway with another configuration and have this one again. Bridges of others are not touched.
func (k *Kernel) releaseMoved(ctx context.Context, networks []dataplane.Network) error {
	inv, err := k.inventory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range networks {
		for _, p := range n.Ports {
			link, place := inv.links[p.Name], n.Bridge
			if standsFor(p, n.VNI) != p.Name {
				place = "" // what stands for it in the VN is in the bridge
			}
			if link == nil || link.Attrs().MasterIndex == 0 {
				continue
			}
			at := inv.name(link.Attrs().MasterIndex)
			if b := inv.links[at]; at != place && b != nil && b.Attrs().Alias == madeHere {
				errs = append(errs, k.release(inv, p.Name, at))
			}
		}
	}
	return errors.Join(errs...)
}
