package dataplane_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// ahead is a kernel that is told some changes before it applies the first.
type ahead struct {
	*dataplanetest.Twin
	most     int
	between  func(told int) // called when it has been told so many
	together int            // how many changes it has been told before it applied the first, at most
	streams  int
}

func (k *ahead) Stream(ctx context.Context, next func() ([]dataplane.Entry, []dataplane.Key), done func([]error)) {
	type change struct {
		set []dataplane.Entry
		del []dataplane.Key
	}
	k.streams++
	var waiting []change
	for told := 0; ; {
		set, del := next()
		if len(set)+len(del) > 0 {
			told++
			waiting = append(waiting, change{set, del})
			k.together = max(k.together, len(waiting))
			if k.between != nil {
				k.between(told)
			}
			if len(waiting) < k.most {
				continue
			}
		}
		if len(waiting) == 0 {
			return
		}
		done(k.Apply(ctx, waiting[0].set, waiting[0].del))
		waiting = waiting[1:]
	}
}

func many(n int) (all []dataplane.Entry) {
	for i := range n {
		all = append(all, dataplanetest.Remote(10100, dataplane.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}, vtep2))
	}
	return all
}

func TestMoreIsToldWhileSomeIsWritten(t *testing.T) {
	k := &ahead{Twin: twin(t), most: 3}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		all := many(5000)
		r.Hold()
		for _, e := range all {
			r.Set(e)
		}
		r.Release()
		if got := results(r); len(got) != len(all) {
			t.Errorf("%d results, want %d", len(got), len(all))
		}
		for _, e := range all {
			if !k.Holds(e) {
				t.Fatalf("the kernel has not %v", e)
			}
		}
		if k.together != k.most {
			t.Errorf("it was told %d changes ahead, want %d", k.together, k.most)
		}
		if set, removed, err := r.Resync(t.Context()); set+removed != 0 || err != nil {
			t.Errorf("then set %d, removed %d, %v", set, removed, err)
		}
	})
}

// What is asked anew before the kernel has written what was asked for first is written after it, and only that is told.
func TestWhatIsAskedAnewWhileItIsWritten(t *testing.T) {
	for _, fails := range []bool{false, true} {
		k := &ahead{Twin: twin(t), most: 3}
		in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
			var last dataplane.Generation
			k.between = func(told int) {
				switch told {
				case 1:
					if fails { // the first, which is written after all of this
						failed := false
						k.Fail(func(op dataplanetest.Op, key dataplane.Key) error {
							if failed {
								return nil
							}
							failed = true
							return errors.New("no room")
						})
					}
					r.Unset(local.Key)
				case 2:
					last = r.Set(remote)
				}
			}
			r.Set(local)
			if res := result(t, r); res.Generation != last || res.Err != nil || res.Removed {
				t.Errorf("fails %v: %+v, want success of generation %d", fails, res, last)
			}
			if k.Holds(local) || !k.Holds(remote) || k.together != 3 {
				t.Errorf("fails %v: %d changes ahead, then the kernel has %s", fails, k.together, k)
			}
		})
	}
}

// A flood gives way to a full pass that somebody's change asks for; what is left of it is written, too.
func TestAFloodGivesWay(t *testing.T) {
	k := &ahead{Twin: twin(t), most: 3}
	in(t, k, func(t *testing.T, r *dataplane.Reconciler) {
		all := many(5000)
		k.streams = 0
		k.between = func(told int) {
			if k.streams == 1 && told == 3 {
				k.Foreign(other) // which signals
			}
		}
		r.Hold()
		for _, e := range all {
			r.Set(e)
		}
		r.Release()
		if got := results(r); len(got) != len(all) {
			t.Errorf("%d results, want %d", len(got), len(all))
		}
		if k.streams < 2 {
			t.Errorf("all was written in %d streams, want more", k.streams)
		}
		for _, e := range all {
			if !k.Holds(e) {
				t.Fatalf("the kernel has not %v", e)
			}
		}
	})
}
