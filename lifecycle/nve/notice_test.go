package nve

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// Tell writes down what middleboxes are told, once a story listens.
func (w *world) Tell(n Notice) {
	if w.mute || !w.tells {
		return
	}
	words := []string{"notice", n.Event.String(), n.Outcome.String(), vmName(n.VM), fmt.Sprintf("@%d", n.Sequence), n.State.String()}
	if n.Reason != evpn.ReasonNone {
		words = append(words, fmt.Sprint(uint8(n.Reason)))
	}
	words = append(words, endName(n.From), "→", endName(n.To)+":")
	for _, a := range n.Attachments {
		words = append(words, a.VN+"/"+macName(a.MAC))
		for _, ip := range a.IPs {
			words = append(words, ip.String())
		}
	}
	w.say("%s", strings.Join(words, " "))
}

// endName is an end in a story: the TES, the edge, or ? where it is not known.
func endName(e End) string {
	switch {
	case e == End{}:
		return "?"
	case e.TES != 0:
		return nameOf(e.TES.Addr())
	}
	return nameOf(e.VTEP)
}

func TestNoticeIsTheSameOnlyForTheSame(t *testing.T) {
	edge := id("192.0.2.1")
	n := Notice{Event: Immigration, VM: evpn.VMID{15: 1}, TES: id("198.51.100.11"), Sequence: 7}
	first := noticeID(edge, &n)
	later := n
	later.At, later.State, later.From = start, evpn.StateAssociated, End{VTEP: addr("192.0.2.2")} // told again after a restart, less may be known
	if noticeID(edge, &later) != first {
		t.Error("the same request has another ID when it is told again")
	}
	for what, change := range map[string]func(*Notice){
		"event": func(n *Notice) { n.Event = Emigration }, "outcome": func(n *Notice) { n.Outcome = Started }, "VM": func(n *Notice) { n.VM[0] = 1 },
		"TES": func(n *Notice) { n.TES++ }, "sequence": func(n *Notice) { n.Sequence++ }, "reason": func(n *Notice) { n.Reason = evpn.Duplicate },
		"where to": func(n *Notice) { n.To.VTEP = addr("192.0.2.3") },
	} {
		other := n
		change(&other)
		if noticeID(edge, &other) == first {
			t.Errorf("another %s has the same ID", what)
		}
	}
	if noticeID(edge+1, &n) == first {
		t.Error("another edge has the same ID")
	}
	n.ID = first
	if text := n.IDText(); len(text) != 36 || text[14] != '8' || !strings.ContainsRune("89ab", rune(text[19])) {
		t.Errorf("ID %s, want a UUID of version 8", text)
	}
}

func TestNotablesAreReadAsWritten(t *testing.T) {
	for n := Immigration; n <= Displacement; n++ {
		if got, ok := ParseNotable(n.String()); !ok || got != n {
			t.Errorf("%q is read as %v, %v", n, got, ok)
		}
	}
	for _, s := range []string{"", "migration"} {
		if n, ok := ParseNotable(s); ok {
			t.Errorf("%q is read as %v", s, n)
		}
	}
}

// §3.3.6: people see a move as an event of its own kind, with both ends and all addresses.
func TestMovesAreInTheHistory(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"remote edge2 blue/m1 seq=3", "ask tes1 associate vm1 blue/m1 blue/m1/10.0.0.1 flags=M"} {
		w.do(line)
	}
	for _, ev := range w.edge.History.Recent(64) {
		if ev.Kind != history.KindMove {
			continue
		}
		m := ev.Move
		if ev.Op != "immigration" || ev.Status != "success" || m == nil || m.From == nil || m.From.VTEP != "192.0.2.2" || m.To == nil || m.To.TES != "198.51.100.11" || m.To.VTEP != "192.0.2.1" {
			t.Errorf("move %+v %+v", ev, m)
		}
		if len(m.Attachments) != 1 || len(m.Attachments[0].IPs) != 1 || m.Attachments[0].IPs[0] != "10.0.0.1" || m.Attachments[0].VN != "blue" {
			t.Errorf("attachments %+v, want blue with 10.0.0.1", m.Attachments)
		}
		return
	}
	t.Error("no event of the kind move")
}
