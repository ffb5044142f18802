package tes

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// rebuild reads, once for each NVE after the file was made, the VMs from the NVE's standing responses: a TES that has lost its file gets its
// list back (SPEC §3 "TES"). What the responses do not tell, policies and credentials, is lost. Each VM is then stated again.
func (c *core) rebuild(now time.Time, nve evpn.RouterID) {
	if c.rebuilt[nve] {
		return
	}
	for _, said := range c.standing(nve) {
		if err := c.rebuildVM(now, nve, said); err != nil {
			c.logger.WithError(err).WithField("vmid", *said[0].said.VM).Error("rebuild")
			c.log.Append(history.Event{
				At: now, Kind: history.KindAlarm, VM: said[0].said.VM.String(), TES: c.cfg.ID.String(), Peer: nve.String(),
				Detail: "not rebuilt from the responses: " + err.Error(),
			})
		}
	}
	if err := c.store.SetRebuilt(nve); err != nil {
		c.stats.StoreErrors++
		c.logger.WithError(err).Error("rebuild")
		return
	}
	c.rebuilt[nve] = true
}

// standing lists the newest responses of each VM that the NVE has and we have not, by VMID and then by index.
func (c *core) standing(nve evpn.RouterID) [][]response {
	byVM := map[evpn.VMID][]response{}
	for _, at := range c.responses {
		for _, r := range at {
			if r.nve != nve || r.number == evpn.DryRunRD || r.said.VM == nil || c.vms[*r.said.VM] != nil {
				continue
			}
			known := byVM[*r.said.VM]
			switch {
			case len(known) == 0 || evpn.SequenceNewer(r.said.Sequence, known[0].said.Sequence):
				byVM[*r.said.VM] = []response{r}
			case r.said.Sequence == known[0].said.Sequence && !slices.ContainsFunc(known, func(k response) bool { return k.key == r.key }):
				byVM[*r.said.VM] = append(known, r)
			}
		}
	}
	var all [][]response
	for _, said := range byVM {
		slices.SortFunc(said, func(a, b response) int { return cmp.Compare(a.said.Index, b.said.Index) })
		all = append(all, said)
	}
	slices.SortFunc(all, func(a, b []response) int { return slices.Compare(a[0].said.VM[:], b[0].said.VM[:]) })
	return all
}

// rebuildVM makes a VM of its standing responses and states it with the next sequence.
func (c *core) rebuildVM(now time.Time, nve evpn.RouterID, said []response) error {
	id, newest := *said[0].said.VM, said[0].said
	acked := store.Acked{State: newest.State, Op: holding(newest.State), Sequence: newest.Sequence}
	if !acked.Live() {
		return nil // it has ended
	}
	if len(said) != int(newest.Count) {
		return fmt.Errorf("%d of its %d responses stand", len(said), newest.Count)
	}
	for _, r := range said {
		vn, err := c.vnOf(r)
		if err != nil {
			return err
		}
		acked.Bindings = append(acked.Bindings, store.Binding{VN: vn.Name, VNI: vn.VNI, MAC: r.key.MAC, IP: r.key.IP})
	}
	if last, ok := c.sequences[id]; !ok || evpn.SequenceNewer(newest.Sequence, last) {
		c.sequences[id] = newest.Sequence
	}
	v := &vm{VM: store.VM{ID: id, NVE: nve, Wish: store.Wish{Op: acked.Op, Phase: store.Done}, Acked: acked}}
	if err := c.ask(now, v, v.VM, store.ForTruth); err != nil {
		return err
	}
	c.add(v)
	c.tell(v, history.Event{
		At: now, Kind: history.KindState, State: fmt.Sprint(acked.State), Sequence: acked.Sequence,
		Detail: "rebuilt from the NVE's responses, policies are not known",
	})
	return nil
}

// vnOf is the VN that a response is about.
func (c *core) vnOf(r response) (VN, error) {
	for _, vn := range c.cfg.VNs {
		if c.fit(&r, store.Route{Binding: store.Binding{VN: vn.Name, VNI: vn.VNI}}) == 2 {
			return vn, nil
		}
	}
	return VN{}, fmt.Errorf("its VN with VNI %d is not configured here", r.label)
}
