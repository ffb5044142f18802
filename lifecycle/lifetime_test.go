package lifecycle

import (
	"testing"
	"time"
)

func TestLifetimeOf(t *testing.T) {
	const none = 0
	for _, test := range []struct {
		name string
		of   Association
		want time.Duration
	}{
		{"nothing lives in Null", Association{}, none},
		{"Pre-associated", Association{State: PreAssociated}, 300 * time.Second},
		{"Associated", Association{State: Associated}, 300 * time.Second},
		{"Suspended", Association{State: Suspended}, time.Hour},
		{"Emigrating, whatever was before", Association{State: EmigratingPreAssociated}, 120 * time.Second},
		{"Emigrating, whatever was before", Association{State: EmigratingAssociated}, 120 * time.Second},
		{"Emigrating, whatever was before", Association{State: EmigratingSuspended}, 120 * time.Second},
		{"remembered", Association{State: Terminated}, time.Minute},
		{"orphaned", Association{State: Associated, Orphaned: true}, time.Hour},
		{"orphaned while emigrating", Association{State: EmigratingAssociated, Orphaned: true}, time.Hour},
		{"outranked, its request stands", Association{State: EmigratingAssociated, Outranked: true}, none},
		{"outranked, and its TES went", Association{State: EmigratingAssociated, Outranked: true, Orphaned: true}, time.Hour},
	} {
		got, runs := LifetimeOf(test.of)
		if got != test.want || runs != (test.want != none) {
			t.Errorf("%s: %+v lives %s (%t), want %s", test.name, test.of, got, runs, test.want)
		}
	}
}

func TestALifetimeOfZeroIsForEver(t *testing.T) {
	lifetimes := DefaultLifetimes
	lifetimes.Suspended = 0
	if got, runs := lifetimes.Of(Association{State: Suspended}); runs {
		t.Errorf("got %s, want none", got)
	}
	if _, runs := lifetimes.Of(Association{State: Associated}); !runs {
		t.Error("another state's lifetime went with it")
	}
}
