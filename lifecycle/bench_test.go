package lifecycle_test

import (
	"testing"

	"github.com/tns-project/tns/lifecycle"
)

// A VM's whole life through the machine: eight requests, each asked and moved.
func BenchmarkLife(b *testing.B) {
	life := []lifecycle.Request{
		{Op: lifecycle.OpPreAssociate},
		{Op: lifecycle.OpAssociate, Base: lifecycle.FigurePreAssociated},
		{Op: lifecycle.OpAssociate, Base: lifecycle.FigureAssociated, KeepAlive: true},
		{Op: lifecycle.OpSuspend, Base: lifecycle.FigureAssociated},
		{Op: lifecycle.OpResume, Base: lifecycle.FigureSuspended},
		{Op: lifecycle.OpEmigrate, Base: lifecycle.FigureAssociated},
		{Op: lifecycle.OpResume, Base: lifecycle.FigureEmigrating},
		{Op: lifecycle.OpTerminate, Base: lifecycle.FigureAssociated},
	}
	b.ReportAllocs()
	for b.Loop() {
		var a lifecycle.Association
		for _, r := range life {
			arrow := a.Ask(r, true)
			if arrow.Refusal != lifecycle.Allowed {
				b.Fatalf("%v from %v is refused: %v", r.Op, a.State, arrow.Refusal)
			}
			a = a.Move(lifecycle.Classify(r, true), arrow)
		}
		if a.State != lifecycle.Terminated {
			b.Fatalf("the life ends as %v", a.State)
		}
	}
}
