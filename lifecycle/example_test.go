package lifecycle_test

import (
	"fmt"

	"github.com/tns-project/tns/lifecycle"
)

// A live migration seen by the edge that the VM leaves: the hypervisor says EMIGRATE, the route of the new edge arrives, TERMINATE follows.
// The owner of the association carries the actions out and then moves on.
func Example() {
	vm := lifecycle.Association{State: lifecycle.Associated}
	take := func(e lifecycle.Event, arrow lifecycle.Arrow) {
		vm = vm.Move(e, arrow)
		fmt.Printf("%s: %v -> %s\n", e, arrow.Actions, vm.State)
	}
	ask := func(op lifecycle.Op) {
		r := lifecycle.Request{Op: op, Base: vm.State.Figure()}
		take(lifecycle.Classify(r, true), vm.Ask(r, true))
	}

	ask(lifecycle.OpEmigrate)
	take(lifecycle.NewerSeen, lifecycle.Next(vm.State, lifecycle.NewerSeen))
	ask(lifecycle.OpTerminate)
	take(lifecycle.AgedOut, lifecycle.Next(vm.State, lifecycle.AgedOut))
	// Output:
	// EMIGRATE: [stop forwarding refresh lifetime accept] -> Emigrating (was Associated)
	// newer seen: [stop advertising] -> Emigrating (was Associated)
	// TERMINATE: [stop advertising release refresh lifetime accept] -> Terminated
	// aged out: [stop lifetime forget] -> Null
}

// A hypervisor suspends a VM that was never associated, and one at an edge that lost its records.
func ExampleAssociation_Ask() {
	var none lifecycle.Association
	for _, base := range []lifecycle.Figure{lifecycle.FigureNull, lifecycle.FigureAssociated} {
		arrow := none.Ask(lifecycle.Request{Op: lifecycle.OpSuspend, Base: base}, false)
		fmt.Printf("from %s: %s, %s %v\n", base, arrow.Refusal, arrow.To, arrow.Actions)
	}
	// Output:
	// from Null: unknown VM, Null []
	// from Associated: allowed, Suspended [authorize reserve refresh lifetime accept]
}
