package labs_test

import (
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/tns-project/tns/labs/internal/probe"
)

// farMAC is the host behind the plain VTEP, where probes come from.
var farMAC = net.HardwareAddr{2, 0, 0, 0, 3, 1}

// stream is a flow of probes to a VM, and the taps at the places it may arrive at.
type stream struct {
	l      lab
	flow   probe.Flow
	sender *probe.Sender
	taps   map[string]*probe.Tap // by node: a VM's place, or an edge that should see nothing
	talks  bool                  // the VM; else it has to be silent
}

// stream starts probes to a MAC from the host behind the plain VTEP.
func (l lab) stream(mac net.HardwareAddr, places, edges []string) *stream {
	l.t.Helper()
	return l.streamFrom("far", farMAC, mac, places, edges)
}

// streamFrom starts probes to a MAC. Taps are at the interface eth1 of nodes that are VMs' places and at the VXLAN device of edges.
func (l lab) streamFrom(node string, source, mac net.HardwareAddr, places, edges []string) *stream {
	l.t.Helper()
	flow := probe.Flow{ID: rand.Uint64(), Source: source, Destination: mac}
	s := &stream{l: l, flow: flow, taps: make(map[string]*probe.Tap)}
	listen := func(node, device string) {
		tap, err := probe.Listen(l.Namespace(node), device, flow)
		if err != nil {
			l.t.Fatal(err)
		}
		s.taps[node] = tap
	}
	for _, node := range places {
		listen(node, "eth1")
	}
	for _, node := range edges {
		listen(node, device)
	}
	var err error
	if s.sender, err = probe.Send(l.Namespace(node), "eth1", flow); err != nil {
		l.t.Fatal(err)
	}
	return s
}

// arrive waits for so many more frames at a place.
func (s *stream) arrive(place string, more int) {
	s.l.t.Helper()
	tap := s.taps[place]
	before := len(tap.Arrivals())
	s.l.soon("probes at "+place, func() error {
		if n := len(tap.Arrivals()) - before; n < more {
			return fmt.Errorf("%d of %d probes came to %s", n, more, place)
		}
		return nil
	})
}

// stop ends the flow and judges it over the given places.
func (s *stream) stop(places ...string) probe.Report {
	s.l.t.Helper()
	sent, err := s.sender.Stop()
	if err != nil {
		s.l.t.Error(err)
	}
	var arrivals [][]probe.Arrival
	for node, tap := range s.taps {
		if err := tap.Stop(); err != nil {
			s.l.t.Errorf("tap at %s: %v", node, err)
		}
	}
	for _, p := range places {
		arrivals = append(arrivals, s.taps[p].Arrivals())
		if n := s.taps[p].Emitted(); n > 0 && !s.talks {
			s.l.t.Errorf("the silent VM sent %d frames at %s", n, p)
		}
	}
	return probe.Judge(sent, arrivals...)
}

// reaches checks that each of a hundred frames to a MAC arrives at a place, and none at the places and edges that it is
// not for: no other table had to guess.
func (l lab) reaches(mac net.HardwareAddr, place string, otherPlaces, thirdEdges []string) {
	l.t.Helper()
	s := l.stream(mac, append([]string{place}, otherPlaces...), thirdEdges)
	s.arrive(place, 100)
	if r := s.stop(place); r.Lost+r.Duplicated+r.Reordered > 0 {
		l.t.Errorf("probes to %s at %s: %s", mac, place, r)
	}
	for _, node := range append(otherPlaces, thirdEdges...) {
		if n := len(s.taps[node].Arrivals()); n > 0 {
			l.t.Errorf("%d frames to %s, which is at %s, came to %s", n, mac, place, node)
		}
	}
}

// reachesNobody checks that of two hundred frames to a MAC, which leave the plain VTEP's port, none arrives at a place.
func (l lab) reachesNobody(mac net.HardwareAddr, places ...string) {
	l.t.Helper()
	s := l.stream(mac, places, nil)
	var err error
	if s.taps["port"], err = probe.Listen(l.Namespace("vtep"), "blue", s.flow); err != nil {
		l.t.Fatal(err)
	}
	s.arrive("port", 200)
	s.stop()
	for _, node := range places {
		if n := len(s.taps[node].Arrivals()); n > 0 {
			l.t.Errorf("%d frames to %s came to %s", n, mac, node)
		}
	}
}

// tap listens for a stream at one more place.
func (l lab) tap(s *stream, node, device string) *probe.Tap {
	l.t.Helper()
	tap, err := probe.Listen(l.Namespace(node), device, s.flow)
	if err != nil {
		l.t.Fatal(err)
	}
	return tap
}
