package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/tag"
)

// tagger is what has the VN on a member port by a VID; nil: the port is untagged, not the VN's, or of a mode that cannot be had.
func (k *Kernel) tagger(n *network, port string) tag.Tagger {
	p, member := n.Port(port)
	if !member || !p.Mode.Tagged() {
		return nil
	}
	return k.taggers[p.Mode]
}

// ensureTagged attaches the networks to their tagged ports, after taking from such ports what is no network's any more, whose VIDs may be needed.
func (k *Kernel) ensureTagged(networks map[dataplane.VNI]*network) error {
	var errs []error
	for mode, t := range k.taggers {
		errs = append(errs, k.detachForeign(mode, t, networks))
	}
	for _, w := range k.wanted {
		n := networks[w.VNI]
		for _, p := range n.Ports {
			if !p.Mode.Tagged() {
				continue
			}
			n.tagged[p.Name] = ""
			if p.Mode == dataplane.VLANAware && n.vlan == 0 {
				continue // ensureShared told why
			}
			t := k.taggers[p.Mode]
			if t == nil {
				errs = append(errs, fmt.Errorf("have VN %s on port %s: mode %v cannot be had on this system", n.Name, p.Name, p.Mode))
				continue
			}
			device, err := t.Attach(p.Name, n.VNI)
			if err != nil {
				errs = append(errs, fmt.Errorf("VN %s: %w", n.Name, err))
				continue
			}
			n.tagged[p.Name] = device
		}
	}
	return errors.Join(errs...)
}

func (k *Kernel) detachForeign(mode dataplane.Mode, t tag.Tagger, networks map[dataplane.VNI]*network) error {
	all, err := t.List()
	if err != nil {
		return fmt.Errorf("list what is tagged in mode %v: %w", mode, err)
	}
	var errs []error
	for _, a := range all {
		if n := networks[a.VNI]; n != nil {
			if p, member := n.Port(a.Port); member && p.Mode == mode {
				continue
			}
		}
		errs = append(errs, t.Detach(a.Port, a.VNI))
	}
	return errors.Join(errs...)
}

// setVIDs sets the Tag entries that nothing speaks against. It comes first: whoever is let in by the rest is known by its VID then.
func (k *Kernel) setVIDs(ctx context.Context, set []dataplane.Entry, errs []error) {
	for i := range set {
		e := &set[i]
		if e.Kind != dataplane.Tag || errs[i] != nil {
			continue
		}
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = k.tagger(k.networks[e.VNI], e.Key.Port).Set(e.Key.Port, e.VNI, e.VIDs)
		}
	}
}

// unsetVIDs removes Tag entries. It comes last. What is attached to no network's port any more is gone already.
func (k *Kernel) unsetVIDs(ctx context.Context, del []dataplane.Key, errs []error) {
	for i, key := range del {
		if key.Kind != dataplane.Tag || errs[i] != nil {
			continue
		}
		if errs[i] = ctx.Err(); errs[i] != nil {
			continue
		}
		if n := k.networks[key.VNI]; n != nil {
			if t := k.tagger(n, key.Port); t != nil {
				errs[i] = t.Unset(key.Port, key.VNI)
			}
		}
	}
}

// vids is the Tag entries of the networks.
func (k *Kernel) vids() (all []dataplane.Entry, err error) {
	for mode, t := range k.taggers {
		attached, err := t.List()
		if err != nil {
			return nil, fmt.Errorf("list what is tagged in mode %v: %w", mode, err)
		}
		for _, a := range attached {
			n := k.networks[a.VNI]
			if a.VIDs == (dataplane.VIDs{}) || n == nil || k.tagger(n, a.Port) != t {
				continue
			}
			all = append(all, dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Tag, VNI: a.VNI, Port: a.Port}, VIDs: a.VIDs})
		}
	}
	return all, nil
}

// Attachments is the VNs on tagged ports that the kernel holds, whoever asked for them; also before Ensure.
func (k *Kernel) Attachments() ([]tag.Attachment, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []tag.Attachment
	for mode, t := range k.taggers {
		attached, err := t.List()
		if err != nil {
			return nil, fmt.Errorf("list what is tagged in mode %v: %w", mode, err)
		}
		all = append(all, attached...)
	}
	return all, nil
}
