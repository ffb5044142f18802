package main

import (
	"strings"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	for length, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", time.Minute: "1m0s", 59*time.Minute + 59*time.Second: "59m59s", time.Hour: "1h0m", 23*time.Hour + 59*time.Minute: "23h59m",
		24 * time.Hour: "1d0h", 400*24*time.Hour + 5*time.Hour + 59*time.Minute: "400d5h",
	} {
		s := int64(length.Seconds())
		if got := age(&s); got != want {
			t.Errorf("%v is %q, want %q", length, got, want)
		}
	}
	if got := age(nil); got != "" {
		t.Errorf("an unknown age is %q", got)
	}
}

// A glance must not need a wide terminal: even the widest values of the columns of one kind fit beside usual ones of the others.
func TestSessionTableFitsATerminal(t *testing.T) {
	const terminal = 120
	age := int64(99*24*3600 + 23*3600)
	since := noon
	table := sessionTable([]sessionView{
		{Plane: "fabric", Peer: "2001:db8:1::254", AS: 65000, State: "established", Since: &since, AgeS: &age, Routes: 100000, Filtered: 10000000, Refused: 1000000, EngineRestarts: 99999999},
		{Plane: "tes", Peer: "255.255.255.255", AS: 4294967295, State: "openconfirm", Since: &since, AgeS: &age},
	})
	var out strings.Builder
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len(line) - 1; n > terminal {
			t.Errorf("a line of %d columns, want at most %d: %s", n, terminal, line)
		}
	}
}
