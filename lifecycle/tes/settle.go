package tes

import (
	"fmt"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// pendingTime is how long an NVE may answer PENDING to one request (SPEC §2).
const pendingTime = 60 * time.Second

// outstanding reports whether the current request waits for its answer. One that was given up by the clock does not.
func (v *vm) outstanding() bool { return !v.Answer.Answered && !v.silent }

// settle brings a VM forward as far as it goes: takes over the answer that stands, then asks what is due, and says when to look again.
// It may be called at any time.
func (c *core) settle(now time.Time, v *vm) {
	for {
		a, tags := c.answer(v), c.takeTags(v)
		if a.complete && news(v, a) {
			if err := c.take(now, v, a, tags); err != nil {
				c.mend(now, v, err)
				return
			}
			if c.vms[v.ID] != v {
				return // terminated
			}
			continue
		}
		if tags.changed {
			if err := c.putTags(now, v, tags); err != nil {
				c.mend(now, v, err)
				return
			}
		}
		c.clock(now, v, a)
		purpose, ok := c.dueRequest(now, v)
		if !ok {
			return
		}
		if err := c.ask(now, v, v.VM, purpose); err != nil {
			c.mend(now, v, err)
			return
		}
	}
}

// mend notes that something of this machine's failed, and has it tried again soon. All state is as it was.
func (c *core) mend(now time.Time, v *vm, err error) {
	v.mendAt = now.Add(repairTime)
	c.logger.WithError(err).WithField("vmid", v.ID).Error("settle")
}

// news reports whether the answer says something that was not taken over yet.
func news(v *vm, a answer) bool {
	return !v.Answer.Answered || a.status != v.Answer.Status || a.reason != v.Answer.Reason || a.state != v.Answer.State
}

// clock runs the response time of a request that has no answer, or whose answer is gone. It runs only while the NVE hears us.
func (c *core) clock(now time.Time, v *vm, a answer) {
	up, synced := c.up(v.NVE)
	missing := !a.complete && (!v.Answer.Answered || synced)
	switch {
	case !up || !missing || v.silent:
		v.answerBy = time.Time{}
	case v.answerBy.IsZero():
		v.answerBy = now.Add(c.cfg.ResponseTime)
	}
	if limit := v.askedAt.Add(pendingTime); due(v.answerBy, now) && a.pending && now.Before(limit) {
		v.answerBy = earlier(now.Add(c.cfg.ResponseTime), limit)
	}
	if due(v.answerBy, now) {
		c.giveUp(now, v)
	}
}

// giveUp: the NVE did not answer in time. The wish stands and is asked again.
func (c *core) giveUp(now time.Time, v *vm) {
	v.answerBy, v.silent = time.Time{}, true
	v.repeatAt = now.Add(c.pause(v))
	c.stats.NoAnswers++
	c.changed(v)
	c.tell(v, history.Event{
		At: now, Kind: history.KindResponse, Op: fmt.Sprint(v.Request.Op), Sequence: v.Request.Sequence,
		Detail: fmt.Sprintf("no answer, asked again in %v", v.repeatAt.Sub(now).Round(time.Millisecond)),
	})
}

// dueRequest tells what is to be asked now, if anything.
func (c *core) dueRequest(now time.Time, v *vm) (store.Purpose, bool) {
	up, _ := c.up(v.NVE)
	kept := v.Answer.Answered && v.Answer.Status == evpn.FailKept && v.Answer.Reason != evpn.StaleSequence && v.Acked.Live()
	switch {
	case v.outstanding() || v.Request.Op == 0:
		return 0, false
	case v.Wish.Phase == store.Waiting:
		return c.forWish(v), true
	case kept && v.Request.Purpose != store.ForTruth:
		return store.ForTruth, true
	case v.Wish.Phase == store.Again && due(v.againAt, now):
		return c.forWish(v), true
	case v.silent && due(v.repeatAt, now):
		return v.Request.Purpose, true
	case up && due(v.keepAt, now):
		return store.ForKeepAlive, true
	}
	return 0, false
}

// forWish is the next request on the way to the wish: itself, or, when the association has aged out under a wish that needs one, that.
func (c *core) forWish(v *vm) store.Purpose {
	if v.Wish.Anew && !v.Acked.Live() && (v.Wish.Op == evpn.Suspend || v.Wish.Op == evpn.Resume) {
		return store.ForStep
	}
	return store.ForWish
}

// perVM reports whether the VM is kept alive one by one (`keepalive: per-vm` of any of its VNs).
func (c *core) perVM(v *vm) bool {
	for _, r := range v.Standing {
		if vn, ok := c.cfg.vn(r.VN); ok && vn.PerVMKeepAlive {
			return true
		}
	}
	return false
}
