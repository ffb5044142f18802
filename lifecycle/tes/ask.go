package tes

import (
	"fmt"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// ask makes the VM's next request of a draft of it: numbered, on disk, then announced. On error nothing has changed.
func (c *core) ask(now time.Time, v *vm, draft store.VM, purpose store.Purpose) error {
	again := repeats(v, draft, purpose)
	op, flags, set := plan(draft, purpose)
	if err := c.number(set); err != nil {
		return err
	}
	request := store.Request{Op: op, Base: draft.Acked.State, Flags: flags, Sequence: c.next(now, draft), Purpose: purpose}
	draft.Standing = compose(draft, request, set)
	draft.Request = request
	draft.Answer = store.Answer{Told: draft.Answer.Told, Lifetime: draft.Answer.Lifetime}
	if purpose == store.ForWish {
		draft.Wish.Phase = store.Asked
		draft.Answer.Told = evpn.ReasonNone
	}
	if err := c.put(v, draft); err != nil {
		return err
	}
	c.sequences[v.ID] = request.Sequence
	v.askedAt, v.silent = now, false
	v.answerBy, v.repeatAt, v.keepAt = time.Time{}, time.Time{}, time.Time{}
	if purpose == store.ForWish || purpose == store.ForStep {
		v.againAt, v.asked = time.Time{}, v.wish
		c.overtake(now, v)
	}
	c.announce(now, v, v.Current())
	c.stats.Requests[op]++
	if again {
		c.stats.Retries++
	}
	c.tell(v, history.Event{
		At: now, Kind: history.KindRequest, Op: fmt.Sprint(op), State: fmt.Sprint(request.Base), Sequence: request.Sequence,
		Detail: describe(v.VM, again),
	})
	return nil
}

// repeats reports whether a request says once more what the NVE did not answer, or refused for a reason that passes.
func repeats(v *vm, draft store.VM, purpose store.Purpose) bool {
	unheard := v.silent && purpose == v.Request.Purpose && draft.Wish.Phase != store.Waiting
	return unheard || purpose == store.ForWish && draft.Wish.Phase == store.Again
}

// plan is what a request of that purpose asks: the operation, its flags, and the VM's set.
func plan(draft store.VM, purpose store.Purpose) (evpn.Op, evpn.Flags, []store.Binding) {
	switch purpose {
	case store.ForTruth:
		op := draft.Acked.Op
		if leadsTo(op) != draft.Acked.State {
			op = holding(draft.Acked.State)
		}
		return op, 0, kept(draft)
	case store.ForStep:
		return evpn.Associate, 0, kept(draft)
	case store.ForKeepAlive:
		return draft.Request.Op, draft.Request.Flags | evpn.FlagKeepAlive, bindings(draft.Current())
	default:
		set := draft.Wish.Bindings
		if set == nil {
			set = kept(draft)
		}
		var flags evpn.Flags
		if draft.Wish.Immigration {
			flags = evpn.FlagImmigration
		}
		return draft.Wish.Op, flags, set
	}
}

// kept is the set that an operation without NICs is for: the acknowledged one while there is an association, else the one asked for last.
func kept(v store.VM) []store.Binding {
	if v.Acked.Live() && len(v.Acked.Bindings) > 0 {
		return v.Acked.Bindings
	}
	return bindings(v.Current())
}

func bindings(routes []store.Route) []store.Binding {
	set := make([]store.Binding, len(routes))
	for i, r := range routes {
		set[i] = r.Binding
	}
	return set
}

// next is the sequence of the VM's next request: one more than the last one ever announced for the VMID, or than what the NVE says it has
// accepted; a first one is the Unix time, which also a TES that has lost its memory can rely on (SPEC §2).
func (c *core) next(now time.Time, v store.VM) uint32 {
	if v.Answer.Answered && v.Answer.Reason == evpn.StaleSequence {
		return v.Acked.Sequence + 1
	}
	if last, ok := c.sequences[v.ID]; ok {
		return last + 1
	}
	return uint32(now.Unix())
}

// compose is what is announced for a request: the routes of its set, then, as they were, those that only the set before has. They are
// withdrawn once the smaller set is acknowledged (SPEC §2).
func compose(v store.VM, request store.Request, set []store.Binding) []store.Route {
	routes := make([]store.Route, 0, max(len(set), len(v.Standing)))
	for i, b := range set {
		routes = append(routes, store.Route{
			Binding: b, Op: request.Op, Base: request.Base, Flags: request.Flags, Sequence: request.Sequence,
			Index: uint8(i + 1), Count: uint8(len(set)), Echo: echo(v.Tags, b.VN, b.MAC),
		})
	}
	for _, old := range v.Standing {
		if !slices.ContainsFunc(set, func(b store.Binding) bool { return sameNLRI(b, old.Binding) }) {
			routes = append(routes, old)
		}
	}
	return routes
}

// echo is the answer to the last change of the tag of a MAC in a VN.
func echo(tags []store.Tag, vn string, mac evpn.MAC) *evpn.Echo {
	for _, t := range tags {
		if t.VN == vn && t.MAC == mac {
			return t.Echo
		}
	}
	return nil
}

func sameNLRI(a, b store.Binding) bool { return a.VN == b.VN && a.MAC == b.MAC && a.IP == b.IP }

// put makes the draft the VM's state, on disk first.
func (c *core) put(v *vm, draft store.VM) error {
	if err := c.store.Put(draft); err != nil {
		c.stats.StoreErrors++
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	c.hold(v.ID, v.Standing, draft.Standing)
	v.VM = draft
	c.changed(v)
	return nil
}

// number sees to it that each VN has the number of its route distinguisher.
func (c *core) number(set []store.Binding) error {
	for _, b := range set {
		if c.numbers[b.VN] != 0 {
			continue
		}
		n, err := c.store.Number(b.VN)
		if err != nil {
			c.stats.StoreErrors++
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
		c.numbers[b.VN] = n
	}
	return nil
}

// hold notes who announces which MAC.
func (c *core) hold(id evpn.VMID, before, after []store.Route) {
	for _, r := range before {
		c.holders[r.MAC] = slices.DeleteFunc(c.holders[r.MAC], func(h holder) bool { return h.vm == id })
		if len(c.holders[r.MAC]) == 0 {
			delete(c.holders, r.MAC)
		}
	}
	for _, r := range after {
		if h := (holder{r.VN, id}); !slices.Contains(c.holders[r.MAC], h) {
			c.holders[r.MAC] = append(c.holders[r.MAC], h)
		}
	}
}

// changed notes that what is published of the VM is outdated.
func (c *core) changed(v *vm) {
	v.view = nil
	c.stale = true
}
