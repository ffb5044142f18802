package linux

import (
	"slices"
	"testing"

	"github.com/tns-project/tns/dataplane"
)

// What the contract is run in can be had; of the others an error says why not.
func TestTriedModesAreThoseThatWork(t *testing.T) {
	tried := TryModes(t.Context())
	if err := tried[dataplane.Access]; err != nil {
		t.Errorf("access: %v", err)
	}
	for _, m := range modes {
		if err := tried[m]; err != nil {
			t.Errorf("%v: %v", m, err)
		}
	}
	for m, err := range tried {
		t.Logf("%v: %v", m, err)
		if err == nil && m.Tagged() && !slices.Contains(modes, m) {
			w := newWorldBy(t, m)
			if err := w.Kernel().Ensure(t.Context(), w.Networks()); err != nil {
				t.Errorf("%v works when it is tried, and not otherwise: %v", m, err)
			}
		}
	}
}
