package tes

import (
	"fmt"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// waiter is a caller of Agent.Do.
type waiter struct {
	number  uint64
	op      evpn.Op
	wish    uint64 // whose outcome it waits for; 0: that of a keep-alive
	since   time.Time
	until   time.Time
	timeout time.Duration
}

// operate takes a wish of the VM manager in: on disk at once, asked at once unless an earlier request is outstanding.
func (c *core) operate(now time.Time, number uint64, o Operation) {
	if o.Timeout == 0 {
		o.Timeout = c.cfg.ResponseTime
	}
	v, set, nve, err := c.check(o)
	if err != nil {
		c.reply(number, Result{VM: o.VM, Op: o.Op}, err)
		return
	}
	w := &waiter{number: number, op: o.Op, since: now, until: now.Add(o.Timeout), timeout: o.Timeout}
	switch {
	case o.DryRun:
		c.try(now, w, o, v, set, nve)
		return
	case o.KeepAlive:
		v, err = c.keepAlive(now, v, w)
	default:
		v, err = c.want(now, o, v, set, nve, w)
	}
	switch {
	case err != nil:
		c.reply(number, c.result(now, v, w), err)
	case o.NoWait:
		c.reply(number, c.result(now, v, w), nil)
	default:
		v.waiters = append(v.waiters, w)
	}
	if v != nil {
		c.changed(v)
		c.settle(now, v)
	}
}

// check finds what is wrong with an operation, also against what is known. The VM is nil if it is new.
func (c *core) check(o Operation) (v *vm, set []store.Binding, nve evpn.RouterID, err error) {
	if err := checkOperation(o); err != nil {
		return nil, nil, 0, err
	}
	v = c.vms[o.VM]
	if len(o.NICs) == 0 {
		switch {
		case v != nil:
			return v, nil, v.NVE, nil
		case o.Op == evpn.Associate || o.Op == evpn.PreAssociate:
			return nil, nil, 0, &InputError{"nic", "none", "the VM is not known here, so at least one is needed"}
		default:
			return nil, nil, 0, fmt.Errorf("VM %v: %w: associate it first", o.VM, ErrUnknownVM)
		}
	}
	set, nve, err = c.cfg.bindings(o)
	if err != nil {
		return v, nil, nve, err
	}
	if v != nil && v.NVE != nve {
		return v, nil, nve, &InputError{"vn", o.NICs[0].VN, fmt.Sprintf("is served by NVE %v, the VM is at NVE %v: terminate it there first", nve, v.NVE)}
	}
	for _, b := range set {
		for _, h := range c.holders[b.MAC] {
			if h.vn == b.VN && h.vm != o.VM {
				return v, nil, nve, &InputError{"mac", b.MAC.String(), fmt.Sprintf("is that of VM %v in VN %s", h.vm, b.VN)}
			}
		}
	}
	return v, set, nve, nil
}

// want makes the operation the VM's wish. It is on disk on return, and its request too if it need not wait.
func (c *core) want(now time.Time, o Operation, v *vm, set []store.Binding, nve evpn.RouterID, w *waiter) (*vm, error) {
	known := v != nil
	if !known {
		v = &vm{VM: store.VM{ID: o.VM, NVE: nve}}
	}
	draft := v.VM
	merged := draft.Wish.Bindings
	draft.Wish = store.Wish{Op: o.Op, Immigration: o.Immigration, Bindings: set, Phase: store.Waiting}
	if set == nil && v.Wish.Phase == store.Waiting && (o.Op == evpn.Associate || o.Op == evpn.PreAssociate) {
		draft.Wish.Bindings = merged
	}
	var err error
	if up, _ := c.up(nve); !known || !v.outstanding() || o.Op == evpn.Terminate && !up {
		err = c.ask(now, v, draft, store.ForWish)
	} else {
		err = c.put(v, draft)
	}
	if err != nil {
		if !known {
			return nil, err
		}
		return v, err
	}
	c.add(v)
	v.wish++
	w.wish = v.wish
	if v.Wish.Phase == store.Asked {
		v.asked = v.wish
	}
	v.attempts, v.jumped, v.againAt = 0, false, time.Time{}
	c.overtake(now, v)
	return v, nil
}

// keepAlive refreshes the VM's lifetime. While another request is outstanding, that does it.
func (c *core) keepAlive(now time.Time, v *vm, w *waiter) (*vm, error) {
	w.op = v.Request.Op
	switch {
	case v.outstanding() && v.Request.Purpose == store.ForWish:
		w.wish = v.wish
	case v.outstanding():
	case !v.Acked.Live():
		return v, fmt.Errorf("keep VM %v alive: the NVE has no association for it (state %v)", v.ID, v.Acked.State)
	default:
		return v, c.ask(now, v, v.VM, store.ForKeepAlive)
	}
	return v, nil
}

// overtake tells the callers whose wish will not be asked any more.
func (c *core) overtake(now time.Time, v *vm) {
	c.finish(now, v, answer{}, ErrSuperseded, func(w *waiter) bool { return w.wish != 0 && w.wish != v.wish && w.wish != v.asked })
}

// finish replies to the callers that are chosen. Without an error the answer is what they get; with one they still hear of PENDING.
func (c *core) finish(now time.Time, v *vm, a answer, err error, which func(*waiter) bool) {
	kept := v.waiters[:0:0]
	for _, w := range v.waiters {
		if !which(w) {
			kept = append(kept, w)
			continue
		}
		r := c.result(now, v, w)
		switch {
		case err != nil && a.pending:
			r.Answered, r.Status, r.Routes = true, evpn.Pending, a.routes
		case err == nil:
			r.Answered, r.Status, r.Reason, r.State, r.Sequence, r.Routes = true, a.status, a.reason, a.state, a.sequence, a.routes
		}
		c.reply(w.number, r, err)
	}
	v.waiters = kept
}

// expireWaiters replies to the callers whose time is over. A pending answer gives them as much time again, within what PENDING may take.
func (c *core) expireWaiters(now time.Time, v *vm) {
	a := c.answer(v)
	pending := v.outstanding() && a.pending
	limit := v.askedAt.Add(pendingTime)
	for _, w := range v.waiters {
		if due(w.until, now) && pending && now.Before(limit) {
			w.until = earlier(now.Add(w.timeout), limit)
		}
	}
	err := ErrNoAnswer
	if up, _ := c.up(v.NVE); !up {
		err = ErrNoSession
	}
	c.finish(now, v, a, fmt.Errorf("%w %v within %v", err, v.NVE, c.waited(v, now)), func(w *waiter) bool { return due(w.until, now) })
}

// waited is how long the first caller whose time is over has waited.
func (c *core) waited(v *vm, now time.Time) time.Duration {
	for _, w := range v.waiters {
		if due(w.until, now) {
			return now.Sub(w.since)
		}
	}
	return 0
}

// leave forgets a caller that is gone.
func (c *core) leave(number uint64) {
	for _, v := range c.order {
		for i, w := range v.waiters {
			if w.number == number {
				v.waiters = append(v.waiters[:i:i], v.waiters[i+1:]...)
				return
			}
		}
	}
	for _, t := range c.trials {
		if t.waiter.number == number {
			t.waiter.number = 0
		}
	}
}

// result is what is known for a caller before an answer.
func (c *core) result(now time.Time, v *vm, w *waiter) Result {
	r := Result{Op: w.op, Elapsed: now.Sub(w.since)}
	if v != nil {
		r.VM, r.State, r.Sequence = v.ID, v.Acked.State, v.Request.Sequence
	}
	return r
}
