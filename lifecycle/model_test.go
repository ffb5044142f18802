package lifecycle

import (
	"fmt"
	"testing"
)

// model is an edge reduced to what one association holds there. Each kind of thing is held for one or both of two sets of parameters, the
// current one and the one before: what is left over of the old set shows.
type model struct {
	set        int // of the parameters requested last: 0 or 1
	authorized [2]bool
	reserved   [2]bool
	forwarding [2]bool
	advertised [2]bool
	lifetime   bool
	record     bool
}

// apply carries an arrow's actions out. It complains about an action that what is held does not allow.
func (m *model) apply(arrow Arrow, newSet bool) error {
	old := m.set
	if newSet && (arrow.Does(Authorize) || arrow.Does(Reserve)) {
		m.set = 1 - m.set
	}
	m.record = m.record || arrow.To != Null
	for _, action := range arrow.Actions {
		switch action {
		case Authorize:
			m.authorized[m.set] = true
		case Reserve:
			if !m.authorized[m.set] {
				return fmt.Errorf("reserve what is not authorized")
			}
			m.reserved[m.set] = true
		case Forward:
			if !m.reserved[m.set] {
				return fmt.Errorf("forward what is not reserved")
			}
			m.forwarding[m.set] = true
		case Advertise, AdvertiseAbove:
			if !m.reserved[m.set] {
				return fmt.Errorf("advertise what is not reserved")
			}
			if arrow.To == Associated && !m.forwarding[m.set] {
				return fmt.Errorf("advertise what is not forwarded")
			}
			m.advertised[m.set] = true
		case StopForwarding:
			m.forwarding = [2]bool{}
		case StopAdvertising:
			m.advertised = [2]bool{}
		case ReleaseOld:
			if old == m.set {
				return fmt.Errorf("release the only set")
			}
			m.authorized[old], m.reserved[old], m.forwarding[old], m.advertised[old] = false, false, false, false
		case Release:
			if m.holds().Has(Forwarding) || m.holds().Has(Advertised) {
				return fmt.Errorf("release what is %s", m.holds())
			}
			m.authorized, m.reserved = [2]bool{}, [2]bool{}
		case RefreshLifetime:
			m.lifetime = true
		case StopLifetime:
			m.lifetime = false
		case Forget:
			m.record = false
		case Accept, Notify:
		default:
			return fmt.Errorf("%s is unknown", action)
		}
	}
	return nil
}

// holds is what is held for either set.
func (m *model) holds() Holdings {
	var h Holdings
	for set := range 2 {
		if m.reserved[set] {
			h |= Reserved
		}
		if m.forwarding[set] {
			h |= Forwarding
		}
		if m.advertised[set] {
			h |= Advertised
		}
	}
	return h
}

// edge is an association with the model of what it holds.
type edge struct {
	Association
	model
	handedOver bool // Emigrating, and without a fabric route: given up, or of addresses that were never active
}

// check holds the model against the state's promise.
func (x *edge) check() error {
	want := x.State.Holds()
	if x.handedOver {
		want &^= Advertised
	}
	other := 1 - x.set
	switch {
	case x.holds() != want:
		return fmt.Errorf("%s holds %s, want %s", x.State, x.holds(), want)
	case x.authorized[other] || x.reserved[other] || x.forwarding[other] || x.advertised[other]:
		return fmt.Errorf("%s holds something of the set before", x.State)
	case x.authorized[x.set] != x.State.Alive():
		return fmt.Errorf("%s is authorized: %t", x.State, x.authorized[x.set])
	case x.lifetime != (x.State != Null):
		return fmt.Errorf("%s has a lifetime: %t", x.State, x.lifetime)
	case x.record != (x.State != Null):
		return fmt.Errorf("%s has a record: %t", x.State, x.record)
	case (x.Orphaned || x.Outranked) && !x.State.Alive():
		return fmt.Errorf("%s is marked: %+v", x.State, x.Association)
	case x.Outranked && !x.State.Emigrating():
		return fmt.Errorf("%s is marked as outranked", x.State)
	}
	return nil
}

// follow carries an event's arrow out.
func (x *edge) follow(e Event, arrow Arrow, newSet bool) error {
	if err := x.apply(arrow, newSet); err != nil {
		return err
	}
	x.Association = x.Move(e, arrow)
	switch {
	case arrow.Does(StopAdvertising), arrow.Does(ReleaseOld), e == Outranked && arrow.Does(Reserve):
		x.handedOver = x.State == EmigratingAssociated
	case arrow.Refusal == Allowed && x.State != EmigratingAssociated:
		x.handedOver = false
	}
	return x.check()
}

// ask makes a request; same tells whether its parameters are those held.
func (x *edge) ask(r Request, same bool) (Arrow, error) {
	arrow := x.Ask(r, same)
	return arrow, x.follow(Classify(r, same), arrow, !same)
}

// happen is an event that the edge sees by itself.
func (x *edge) happen(e Event) error { return x.follow(e, Next(x.State, e), false) }

// want makes requests, each from the state that the edge is in, and fails the test unless all are accepted and lead to these states.
func (x *edge) want(t *testing.T, steps ...any) {
	t.Helper()
	for i := 0; i < len(steps); i += 2 {
		var err error
		switch step := steps[i].(type) {
		case Op:
			var arrow Arrow
			arrow, err = x.ask(Request{Op: step, Base: x.State.Figure()}, x.State.Alive())
			if arrow.Refusal != Allowed {
				t.Fatalf("%s: %s", step, arrow.Refusal)
			}
		case Event:
			err = x.happen(step)
		}
		if err != nil {
			t.Fatalf("%s: %v", steps[i], err)
		}
		if want := steps[i+1].(State); x.State != want {
			t.Fatalf("%s: got %s, want %s", steps[i], x.State, want)
		}
	}
}

// at is an edge in a state that was reached over its usual way.
func at(t *testing.T, s State) *edge {
	t.Helper()
	x := &edge{}
	switch s {
	case Null:
	case PreAssociated:
		x.want(t, OpPreAssociate, PreAssociated)
	case Associated:
		x.want(t, OpAssociate, Associated)
	case Suspended:
		x.want(t, OpAssociate, Associated, OpSuspend, Suspended)
	case EmigratingPreAssociated:
		x.want(t, OpPreAssociate, PreAssociated, OpEmigrate, EmigratingPreAssociated)
	case EmigratingAssociated:
		x.want(t, OpAssociate, Associated, OpEmigrate, EmigratingAssociated)
	case EmigratingSuspended:
		x.want(t, OpAssociate, Associated, OpSuspend, Suspended, OpEmigrate, EmigratingSuspended)
	case Terminated:
		x.want(t, OpAssociate, Associated, OpTerminate, Terminated)
	}
	return x
}

// everyRequest is each operation from each base state with each set of flags.
func everyRequest() []Request {
	var rs []Request
	for op := OpPreAssociate; op < numOps; op++ {
		for base := range numFigures {
			for flags := range 8 {
				rs = append(rs, Request{Op: op, Base: base, Immigration: flags&1 != 0, KeepAlive: flags&2 != 0, DryRun: flags&4 != 0})
			}
		}
	}
	return rs
}

func describe(r Request, same bool) string {
	return fmt.Sprintf("%s from %s, immigration %t, keep-alive %t, same %t", r.Op, r.Base, r.Immigration, r.KeepAlive, same)
}
