package tes

import (
	"fmt"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// defaultLifetime stands in for a lease that the NVE does not tell.
const defaultLifetime = 300 * time.Second

// take takes an answer over, with the tags that come with it: the first one to the current request, or what the NVE has done on its own since (SPEC §3
// "Response"). It is one write of the disk. On error nothing has changed.
func (c *core) take(now time.Time, v *vm, a answer, tags tagging) error {
	first := !v.Answer.Answered
	before := v.Acked.State
	draft := tags.VM
	draft.Answer = store.Answer{
		Answered: true, Status: a.status, Reason: a.reason, State: a.state, Lifetime: a.lifetime, Told: v.Answer.Told,
	}
	draft.Acked.State, draft.Acked.Sequence = a.state, a.sequence
	if a.status == evpn.Success {
		accept(&draft)
	} else {
		refuse(&draft, first, before)
	}
	if draft.Wish.Op == evpn.Terminate && draft.Wish.Phase == store.Done {
		return c.forget(now, v, a, tags)
	}
	var leftOver []store.Route
	if a.status == evpn.Success || !draft.Acked.Live() || v.Request.Purpose == store.ForTruth {
		// The set before is replaced, or has ended, or was never acknowledged.
		leftOver, draft.Standing = tags.LeftOver(), tags.Current()
		draft.Tags = tagsOf(tags.Tags, draft.Standing)
	}
	if err := c.put(v, draft); err != nil {
		v.give(tags)
		return err
	}
	v.given = nil
	c.sayTags(now, v, tags)
	c.endTags(v.ID, tags.Tags, draft.Tags)
	c.unsayRoutes(leftOver)
	c.tellAnswer(now, v, a, before, first)
	c.schedule(now, v, a)
	if first {
		c.replyAnswer(now, v, a)
	}
	return nil
}

// accept: the request is acknowledged. Its set is the VM's now.
func accept(v *store.VM) {
	v.Acked.Op = v.Request.Op
	v.Acked.Bindings = bindings(v.Current())
	switch {
	case v.Wish.Phase == store.Waiting:
	case v.Request.Purpose == store.ForWish:
		v.Wish.Phase, v.Wish.Anew = store.Done, false
		v.Answer.Told = evpn.ReasonNone
	case v.Request.Purpose == store.ForStep && v.Wish.Op == evpn.Suspend:
		v.Wish.Phase = store.Waiting
	case v.Request.Purpose == store.ForStep:
		v.Wish.Phase, v.Wish.Anew = store.Done, false
		v.Answer.Told = evpn.ReasonNone
	}
}

// refuse: the request is refused, or the NVE took back on its own what it had accepted.
func refuse(v *store.VM, first bool, before evpn.State) {
	ofWish := v.Request.Purpose == store.ForWish || v.Request.Purpose == store.ForStep
	lost := v.Answer.Status != evpn.FailKept && (!first || !ofWish)
	switch {
	case v.Wish.Phase == store.Waiting:
		return
	case !ofWish && !lost:
		return // a refused keep-alive or restatement leaves the wish as it is
	case v.Answer.Reason == evpn.AgedOut && before == evpn.StateEmigrating:
		v.Wish.Phase = store.Refused // it has moved, or has been given up: nothing to come back to
	case v.Answer.Reason == evpn.AgedOut && lost && v.Wish.Phase != store.Done:
		v.Wish = store.Wish{Op: holding(before), Phase: store.Again, Anew: true} // what is lost is the association before the refused wish
	case passes(v.Answer.Reason):
		v.Wish.Phase = store.Again
		v.Wish.Anew = v.Wish.Anew || v.Answer.Reason == evpn.AgedOut
	default:
		v.Wish.Phase = store.Refused
	}
	v.Answer.Told = v.Answer.Reason
	v.Wish.Immigration = v.Wish.Immigration && !lost // it has arrived: what is asked anew is no immigration
}

// schedule sets the VM's clocks after an answer.
func (c *core) schedule(now time.Time, v *vm, a answer) {
	v.answerBy, v.repeatAt, v.silent = time.Time{}, time.Time{}, false
	if v.Wish.Phase != store.Again {
		v.againAt = time.Time{}
	}
	switch {
	case a.status == evpn.Success && v.Wish.Phase == store.Done:
		v.attempts, v.jumped = 0, false
	case a.status == evpn.Success:
	case v.Wish.Phase == store.Again && a.reason == evpn.StaleSequence && !v.jumped:
		v.againAt, v.jumped = now, true
	case v.Wish.Phase == store.Again && (v.againAt.IsZero() || v.Request.Purpose != store.ForTruth):
		v.againAt = now.Add(c.pauseAfter(v, a.reason))
	}
	if c.perVM(v) && c.ages(v) {
		lifetime := time.Duration(v.Answer.Lifetime) * time.Second
		if lifetime == 0 {
			lifetime = defaultLifetime
		}
		v.keepAt = now.Add(lifetime / 3)
	}
}

// ages reports whether the VM's lifetime is ours to refresh: an emigrating VM's is not (SPEC §2 "Beacon").
func (c *core) ages(v *vm) bool { return v.Acked.Live() && v.Acked.State != evpn.StateEmigrating }

// replyAnswer tells the callers for whom the request was made. One that hears FAIL 12 waits on: the wish is asked again at once.
func (c *core) replyAnswer(now time.Time, v *vm, a answer) {
	if v.Wish.Phase == store.Again && due(v.againAt, now) {
		return
	}
	switch v.Request.Purpose {
	case store.ForWish:
		c.finish(now, v, a, nil, func(w *waiter) bool { return w.wish == v.asked || w.wish == 0 })
	case store.ForStep:
		if v.Wish.Phase != store.Waiting {
			c.finish(now, v, a, nil, func(w *waiter) bool { return w.wish == v.asked || w.wish == 0 })
		}
	default:
		c.finish(now, v, a, nil, func(w *waiter) bool { return w.wish == 0 })
	}
}

// forget: the VM is terminated. Its routes go, its sequence is remembered.
func (c *core) forget(now time.Time, v *vm, a answer, tags tagging) error {
	if err := c.store.Forget(v.ID); err != nil {
		v.give(tags)
		c.stats.StoreErrors++
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	before := v.Acked.State
	v.Answer = store.Answer{Answered: true, Status: a.status, State: a.state}
	v.Acked.State = a.state
	c.unsayRoutes(v.Standing)
	c.hold(v.ID, v.Standing, nil)
	c.endTags(v.ID, tags.Tags, nil)
	c.remove(v)
	c.changed(v)
	c.tellAnswer(now, v, a, before, true)
	c.finish(now, v, a, nil, func(*waiter) bool { return true })
	return nil
}

func (c *core) unsayRoutes(routes []store.Route) {
	for _, r := range routes {
		c.unsay(c.key(r))
	}
}

// tellAnswer writes the answer into the VM's story, and the state if it is another now.
func (c *core) tellAnswer(now time.Time, v *vm, a answer, before evpn.State, first bool) {
	c.stats.answered(a.reason)
	e := history.Event{
		At: now, Kind: history.KindResponse, Op: fmt.Sprint(v.Request.Op), State: fmt.Sprint(a.state), Status: fmt.Sprint(a.status),
		Sequence: a.sequence,
	}
	if a.status != evpn.Success {
		e.Reason = fmt.Sprint(a.reason)
	}
	if !first {
		e.Detail = "by the NVE itself"
	}
	c.tell(v, e)
	if a.state != before {
		c.tell(v, history.Event{
			At: now, Kind: history.KindState, State: fmt.Sprint(a.state), Reason: e.Reason, Sequence: a.sequence,
			Detail: fmt.Sprintf("was %v", before),
		})
	}
}
