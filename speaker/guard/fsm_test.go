package guard

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMachine compares the table with the listing in testdata, pair by pair: every state and event, with the arrow or without. A change of the table is
// seen there.
func TestMachine(t *testing.T) {
	var b strings.Builder
	for s := range states {
		for e := range events {
			next, actions, ok := step(s, e)
			if !ok {
				fmt.Fprintf(&b, "%-11v  %-20v  -\n", s, e)
				if next != s || actions != nil {
					t.Errorf("%v %v: no arrow, yet it goes to %v", s, e, next)
				}
				continue
			}
			fmt.Fprintf(&b, "%-11v  %-20v  %-11v  %v\n", s, e, next, actions)
		}
	}
	want, err := os.ReadFile("testdata/machine.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
			t.Fatalf("line %d of testdata/machine.txt; the table says:\n%s", i+1, b.String())
		}
	}
}

// TestMachineLeavesNothing checks what must hold for every arrow.
func TestMachineLeavesNothing(t *testing.T) {
	sends := []Action{SendOpen, SendKeepalive, SendNotice, SendStateError}
	for s := range states {
		for e := range events {
			next, actions, ok := step(s, e)
			if !ok {
				continue
			}
			has := func(a Action) bool { return slices.Contains(actions, a) }
			at := func(a Action) int { return slices.Index(actions, a) }
			pair := fmt.Sprintf("%v %v", s, e)
			if has(SessionUp) != (s != Established && next == Established) {
				t.Errorf("%s: SessionUp and entering Established are one", pair)
			}
			if has(SessionDown) != (s == Established && next != Established) {
				t.Errorf("%s: SessionDown and leaving Established are one", pair)
			}
			if s > Idle && next == Idle && !has(Drop) {
				t.Errorf("%s: the connection is left", pair)
			}
			if has(Deliver) && s != Established {
				t.Errorf("%s: routes outside of a session", pair)
			}
			for _, a := range sends {
				if has(a) && s < OpenSent && e != TCPUp {
					t.Errorf("%s: %v without a connection", pair, a)
				}
				if has(a) && has(Drop) && at(a) > at(Drop) {
					t.Errorf("%s: %v after the connection is closed", pair, a)
				}
			}
			if has(SessionDown) && at(SessionDown) < at(Drop) {
				t.Errorf("%s: the session ends before its connection", pair)
			}
			if s == Idle && has(SendNotice) || next == OpenConfirm && s == OpenSent && !has(StartHold) {
				t.Errorf("%s: %v", pair, actions)
			}
		}
	}
	// Whatever the state, an error of the peer and an order to stop end in Idle.
	for s := Connect; s < states; s++ {
		if next, _, ok := step(s, Stop); !ok || next != Idle {
			t.Errorf("%v Stop goes to %v", s, next)
		}
		for _, e := range []Event{HoldExpires, HeaderBad, NotificationReceived, SendHoldExpires, CollisionLost} {
			if next, _, ok := step(s, e); s >= OpenSent && (!ok || next != Idle) {
				t.Errorf("%v %v goes to %v", s, e, next)
			}
		}
	}
}

// TestMachineReachesEverything walks the table from Idle.
func TestMachineReachesEverything(t *testing.T) {
	reached := map[State]bool{Idle: true}
	for again := true; again; {
		again = false
		for s := range states {
			for e := range events {
				if next, _, ok := step(s, e); ok && reached[s] && !reached[next] {
					reached[next], again = true, true
				}
			}
		}
	}
	if len(reached) != int(states) {
		t.Errorf("reached %v", reached)
	}
	used := make(map[Action]bool)
	for s := range states {
		for e := range events {
			_, actions, _ := step(s, e)
			for _, a := range actions {
				used[a] = true
			}
		}
	}
	for a := Dial; a <= Deliver; a++ {
		if !used[a] {
			t.Errorf("%v is nowhere done", a)
		}
	}
}
