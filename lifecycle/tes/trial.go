package tes

import (
	"errors"
	"fmt"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// trial is a dry run under way: routes with an RD of their own, withdrawn once answered, nothing on disk (SPEC §3 "Dry run").
type trial struct {
	vm       evpn.VMID
	nve      evpn.RouterID
	op       evpn.Op
	base     evpn.State
	sequence uint32
	routes   []store.Route
	waiter   *waiter
	until    time.Time
}

// try starts a dry run.
func (c *core) try(now time.Time, w *waiter, o Operation, v *vm, set []store.Binding, nve evpn.RouterID) {
	draft := store.VM{ID: o.VM, NVE: nve}
	if v != nil {
		draft = v.VM
	}
	draft.Wish = store.Wish{Op: o.Op, Immigration: o.Immigration, Bindings: set}
	op, flags, set := plan(draft, store.ForWish)
	draft.Standing = nil
	t := &trial{vm: o.VM, nve: nve, op: op, base: draft.Acked.State, sequence: c.nextTrial(now, draft), waiter: w, until: w.until}
	request := store.Request{Op: op, Base: t.base, Flags: flags | evpn.FlagDryRun, Sequence: t.sequence}
	t.routes = compose(draft, request, set)
	if err := c.checkTrial(t); err != nil {
		c.reply(w.number, Result{VM: o.VM, Op: o.Op}, err)
		return
	}
	c.trials[t.vm], c.tried[t.vm] = t, t.sequence
	c.announceTrial(now, t)
	c.stats.DryRuns++
	if o.NoWait {
		c.reply(w.number, Result{VM: o.VM, Op: o.Op, State: t.base, Sequence: t.sequence}, nil)
		w.number = 0
	}
	c.tellTrial(now, t, history.Event{Kind: history.KindRequest, State: fmt.Sprint(request.Base), Detail: "dry run"})
}

// nextTrial is above all that was announced for the VMID, and above its last dry run, whose responses may still stand.
func (c *core) nextTrial(now time.Time, v store.VM) uint32 {
	next := c.next(now, v)
	if last, ok := c.tried[v.ID]; ok && !evpn.SequenceNewer(next, last) {
		return last + 1
	}
	return next
}

// checkTrial refuses what one RD for all VNs cannot tell apart.
func (c *core) checkTrial(t *trial) error {
	mine := map[evpn.RouteKey]string{}
	for _, r := range t.routes {
		key := c.trialKey(r)
		if vn, twice := mine[key]; twice {
			return &InputError{"dry_run", r.MAC.String(), fmt.Sprintf("is in VN %s and VN %s: a dry run cannot tell them apart, try them one by one", vn, r.VN)}
		}
		mine[key] = r.VN
	}
	for _, other := range c.trials {
		if other.vm == t.vm {
			return errors.New("another dry run of this VM is under way")
		}
		for _, r := range other.routes {
			if _, taken := mine[c.trialKey(r)]; taken {
				return fmt.Errorf("a dry run of VM %v with MAC %v is under way", other.vm, r.MAC)
			}
		}
	}
	return nil
}

func (c *core) trialKey(r store.Route) evpn.RouteKey {
	key := c.key(r)
	key.RD = evpn.NewRD(c.cfg.ID, evpn.DryRunRD)
	return key
}

func (c *core) announceTrial(now time.Time, t *trial) {
	for _, r := range t.routes {
		c.say(now, c.route(t.vm, t.nve, c.trialKey(r), r))
	}
}

// settleTrials ends the dry runs that are answered.
func (c *core) settleTrials(now time.Time) {
	for _, t := range c.trials {
		if a := c.answerTo(t.vm, t.nve, t.sequence, t.routes, true); a.complete {
			c.endTrial(now, t, a)
		}
	}
}

// endTrial withdraws a dry run and tells its caller; an answer that is not complete is none.
func (c *core) endTrial(now time.Time, t *trial, a answer) {
	delete(c.trials, t.vm)
	for _, r := range t.routes {
		c.unsay(c.trialKey(r))
	}
	r := Result{VM: t.vm, Op: t.op, State: t.base, Sequence: t.sequence, Elapsed: now.Sub(t.waiter.since)}
	var err error
	switch up, _ := c.up(t.nve); {
	case a.complete:
		r.Answered, r.Status, r.Reason, r.State, r.Routes = true, a.status, a.reason, a.state, a.routes
		c.tellTrial(now, t, history.Event{
			Kind: history.KindResponse, State: fmt.Sprint(a.state), Status: fmt.Sprint(a.status), Reason: fmt.Sprint(a.reason), Detail: "dry run",
		})
	case up:
		err = fmt.Errorf("%w %v within %v", ErrNoAnswer, t.nve, t.waiter.timeout)
	default:
		err = fmt.Errorf("%w %v within %v", ErrNoSession, t.nve, t.waiter.timeout)
	}
	c.reply(t.waiter.number, r, err)
}

func (c *core) tellTrial(now time.Time, t *trial, e history.Event) {
	e.At, e.VM, e.TES, e.Peer, e.Op, e.Sequence = now, t.vm.String(), c.cfg.ID.String(), t.nve.String(), fmt.Sprint(t.op), t.sequence
	c.log.Append(e)
}
