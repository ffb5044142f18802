package main

import (
	"slices"
	"testing"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/lifecycle/nve"
)

// The words of the configuration are those of the edge.
func TestEveryEventOfHooksIsKnown(t *testing.T) {
	hooks, err := hooksOf(&config.NVE{Hooks: []config.Hook{{Name: "h", Events: config.HookEvents}}})
	if err != nil {
		t.Fatal(err)
	}
	var all []nve.Notable
	for n := nve.Immigration; n <= nve.Displacement; n++ {
		all = append(all, n)
	}
	if !slices.Equal(hooks[0].Events, all) {
		t.Errorf("the configuration has events %v, the edge %v", hooks[0].Events, all)
	}
}
