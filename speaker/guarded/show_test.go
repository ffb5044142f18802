package guarded

import "testing"

// Every guard that comes is told that people look at the table, and at once; one that comes while nobody does is told nothing.
func TestGuardIsToldToShow(t *testing.T) {
	g := sockets()
	s := run(t, Config{Dial: g.dial})
	s.Show(false)
	first := g.accept()
	s.Show(true)
	s.Show(true)
	first.want(t, "show")
	announce(t, s, macRoute(1, 1))
	s.Show(false)
	first.want(t, "1=1", "hide")
	s.Show(true)
	first.want(t, "show")
	first.Close()
	second := g.accept()
	second.wantAll(t, "show", "1=1")
	s.Show(false)
	second.want(t, "hide")
	second.Close()
	third := g.accept()
	third.want(t, "1=1")
	third.Close()
}
