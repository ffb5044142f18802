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

// TestExchange tells stories: what comes from either side, and what each is told. Routes are a letter for the MAC and a digit for the version, -a is a
// withdrawal, end is End-of-RIB, members that of the memberships.
func TestExchange(t *testing.T) {
	for _, story := range []struct{ name, steps string }{
		{"a route each way", "up; peer a1; engine b1; toEngine a1; toPeer b1"},
		{"the peer speaks first", "peer a1; peer b1; peer end; toEngine; up; toEngine a1 b1 end"},
		{"the peer has not ended", "peer a1; up; toEngine a1; peer b1; peer end; toEngine b1 end"},
		{"a route that came and went is not told", "peer a1; peer -a; up; toEngine"},
		{"only the newest is told", "up; engine a1; engine a2; engine b1; engine -b; toPeer a2 -b"},
		{"repetitions pass in normal times", "up; engine a1; engine end; toPeer a1 end; engine a1; toPeer a1; peer x1; toEngine x1; peer x1; toEngine x1"},
		{"withdrawals of nothing do not", "up; engine -a; toPeer; peer -a; toEngine"},
		{"End-of-RIB is told once", "up; engine end; toPeer end; down; up; engine end; toPeer"},
		{"the same again is not told", "up; engine a1; engine end; toPeer a1 end; down; up; engine a1; engine end; toPeer"},
		{"differences are", "up; engine a1; engine b1; engine end; toPeer a1 b1 end; down; up; engine a2; engine c1; engine b1; toPeer a2 c1; engine end; toPeer"},
		{"what is not renewed is withdrawn at the end", "up; engine a1; engine b1; engine end; toPeer a1 b1 end; down; up; engine a1; toPeer; engine end; toPeer -b"},
		{"an engine that dies while it renews withdraws nothing", "up; engine a1; engine b1; engine end; toPeer a1 b1 end; down; up; engine a1; down; toPeer; up; engine b1; engine end; toPeer -a"},
		{"what an engine said before it died is told", "up; engine a1; engine end; engine a2; down; toPeer a2 end"},
		{"a peer is heard without an engine", "up; peer a1; peer b1; peer end; toEngine a1 b1 end; down; peer a2; peer -b; peer c1; toEngine; up; toEngine a2 c1 end"},
		{"refresh", "up; engine a1; engine b1; engine end; toPeer a1 b1 end; down; refresh; toPeer a1 b1"},
		{"memberships do not wait for the call", "call; up; engine members; toPeer members; engine a1; engine end; toPeer a1; renewed; toPeer end"},
		{"nor those of the next engine, and are told once", "call; up; engine members; toPeer members; down; up; engine members; toPeer; renewed; toPeer end"},
		{"by call", "call; up; engine a1; engine end; toPeer a1; renewed; toPeer end; down; up; engine end; toPeer; engine b1; toPeer b1; renewed; toPeer -a; renewed; toPeer"},
	} {
		t.Run(story.name, func(t *testing.T) {
			families := []wire.Family{wire.EVPN}
			if strings.Contains(story.steps, "members") {
				families = append(families, wire.RouteTargets)
			}
			x := newExchange(wire.Session{Families: families, FourOctetAS: true, Internal: true})
			byEndOfRIB := true
			for step := range strings.SplitSeq(story.steps, "; ") {
				words := strings.Fields(step)
				switch words[0] {
				case "up":
					x.engineUp(false)
				case "down":
					x.engineDown()
				case "call":
					byEndOfRIB = false
				case "renewed":
					x.renewedAll()
				case "refresh":
					x.refresh(x.out, x.toPeer, wire.EVPN)
				case "peer":
					v := x.filter.Update(said(words[1]))
					if v.Decision != wire.Accept {
						t.Fatalf("%s: %+v", step, v)
					}
					x.fromPeer(&v.Update)
				case "engine":
					u, err := wire.ParseUpdate(said(words[1]))
					if err != nil {
						t.Fatal(err)
					}
					x.fromEngine(u, byEndOfRIB)
				case "toEngine":
					told(t, story.steps, step, x.toEngine, words[1:])
				case "toPeer":
					told(t, story.steps, step, x.toPeer, words[1:])
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
