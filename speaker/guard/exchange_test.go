package guard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// announcement is an UPDATE that announces a route, with a preference that tells versions apart.
func announcement(mac, version byte) []byte {
	n := []byte(route(mac, 0, 1).NLRI)
	reach := append([]byte{0, 25, 70, 4, 10, 0, 0, 9, 0}, n...)
	attributes := append([]byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, version, 0x80, 14, byte(len(reach))}, reach...)
	return update(attributes)
}

func withdrawal(mac byte) []byte {
	n := []byte(route(mac, 0, 1).NLRI)
	return update(append([]byte{0x80, 15, byte(3 + len(n)), 0, 25, 70}, n...))
}

func update(attributes []byte) []byte {
	b := slices.Repeat([]byte{0xff}, 16)
	b = append(b, 0, byte(23+len(attributes)), byte(wire.TypeUpdate), 0, 0, 0, byte(len(attributes)))
	return append(b, attributes...)
}

// TestExchange tells stories: what a peer says, and what the engine and GoBGP are told. Routes are a letter for the MAC and a digit for the version, -a is a
// withdrawal, end is End-of-RIB.
func TestExchange(t *testing.T) {
	for _, story := range []struct{ name, steps string }{
		{"a route", "up; peer a1; toEngine a1"},
		{"the peer speaks first", "peer a1; peer b1; peer end; toEngine; up; toEngine a1 b1 end"},
		{"the peer has not ended", "peer a1; up; toEngine a1; peer b1; peer end; toEngine b1 end"},
		{"nobody waits for its end any more", "peer a1; settled; toEngine a1 end"},
		{"a route that came and went is not told", "peer a1; peer -a; up; toEngine"},
		{"only the newest is told", "up; peer a1; peer a2; peer b1; peer -b; toEngine a2 -b"},
		{"repetitions pass to the engine", "up; mirror; peer a1; toEngine a1; toMirror a1; peer a1; toEngine a1; toMirror"},
		{"withdrawals of nothing do not", "up; mirror; peer -a; toEngine; toMirror"},
		{"a peer is heard without an engine", "up; peer a1; peer b1; peer end; toEngine a1 b1 end; down; peer a2; peer -b; peer c1; toEngine; up; toEngine a2 c1 end"},
		{"what an engine was not told is not told the next one twice", "up; peer a1; down; up; toEngine a1"},
		{"GoBGP goes its own way", "up; peer a1; mirror; toMirror a1; peer b1; peer end; toEngine a1 b1 end; toMirror b1 end; unmirror; peer -a; toEngine -a; toMirror; mirror; toMirror b1 end"},
		{"and waits for nobody", "mirror; peer a1; peer end; toMirror a1 end; toEngine; up; toEngine a1 end; down; peer a2; toMirror a2"},
		{"GoBGP asks again", "mirror; peer a1; peer b1; toMirror a1 b1; refresh; toMirror a1 b1"},
		{"memberships are the guard's", "up; mirror; peer members; toEngine; toMirror"},
	} {
		t.Run(story.name, func(t *testing.T) {
			x := newExchange(wire.Session{Families: []wire.Family{wire.EVPN, wire.RouteTargets}, FourOctetAS: true, Internal: true})
			for step := range strings.SplitSeq(story.steps, "; ") {
				words := strings.Fields(step)
				switch words[0] {
				case "up", "settled":
					x.engineUp(words[0] == "settled")
				case "down":
					x.engineDown()
				case "mirror":
					x.mirrorUp()
				case "unmirror":
					x.mirrorDown()
				case "refresh":
					x.repeat(x.toMirror)
				case "peer":
					v := x.filter.Update(said(words[1]))
					if v.Decision != wire.Accept {
						t.Fatalf("%s: %+v", step, v)
					}
					x.fromPeer(&v.Update)
				case "toEngine":
					told(t, story.steps, step, x.toEngine, words[1:])
				case "toMirror":
					told(t, story.steps, step, x.toMirror, words[1:])
				default:
					t.Fatalf("what is %q?", step)
				}
			}
		})
	}
}

func said(word string) []byte {
	switch {
	case word == "end":
		return wire.AppendEndOfRIB(nil, wire.EVPN)
	case word == "members":
		return wire.AppendEndOfRIB(nil, wire.RouteTargets)
	case word[0] == '-':
		return withdrawal(word[1])
	}
	return announcement(word[0], word[1])
}

// told compares what is due with what is wanted; a whole table comes in no order.
func told(t *testing.T, story, step string, q *queue, want []string) {
	t.Helper()
	var got []string
	for q.len() > 0 {
		changes, end := q.take(nil, 100)
		for _, c := range changes {
			mac := c.NLRI[30]
			if c.Withdrawal() {
				got = append(got, fmt.Sprintf("-%c", mac))
				continue
			}
			o := c.Attributes.Octets()
			at := strings.Index(o, "\x40\x05\x04")
			got = append(got, fmt.Sprintf("%c%c", mac, o[at+6]))
		}
		switch end {
		case wire.EVPN:
			got = append(got, "end")
		case wire.RouteTargets:
			got = append(got, "members")
		}
	}
	if n := len(got); n > 0 && got[n-1] == "end" {
		slices.Sort(got[:n-1])
	} else {
		slices.Sort(got)
	}
	slices.SortFunc(want, func(a, b string) int {
		switch {
		case a == "end":
			return 1
		case b == "end":
			return -1
		}
		return strings.Compare(a, b)
	})
	if !slices.Equal(got, want) {
		t.Errorf("%s\nat %q: told %v", story, step, got)
	}
}
