package nve

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// Non-virtualised servers (§3.1): nobody asks for them but the configuration. The edge speaks for them itself, as the TES whose TES-ID is the NVE-ID, over a
// session that is always up: their requests go the same way as those of VMs. No other may speak for that TES-ID, and no response to it leaves the edge.

// Server is a non-virtualised server behind this edge.
type Server struct {
	Name string
	VM   evpn.VMID // its identity
	NICs []NIC     // at least one; no two with one (VNI, MAC)
}

// NIC is a network card of a server.
type NIC struct {
	VNI    evpn.VNI
	Port   string // one of the VN's
	MAC    evpn.MAC
	IPs    []netip.Addr
	Policy *evpn.Policy // nil: none
}

// server is a server and how far its association is.
type server struct {
	Server
	sequence uint32
	pause    time.Duration // before it is asked for again
	retry    *timer
}

// How long the edge waits until it asks again for a server that it refused.
const (
	serverPause    = 5 * time.Second
	serverMaxPause = 5 * time.Minute
)

// addServers takes up the servers of the configuration.
func (e *Edge) addServers() error {
	e.local = &peer{local: true, up: true}
	if err := e.checkServers(e.config.Servers); err != nil {
		return err
	}
	for _, s := range e.config.Servers {
		e.addServer(s)
	}
	return nil
}

// addServer takes up a server, or what has become of one.
func (e *Edge) addServer(s Server) *server {
	is := e.servers[s.VM]
	if is == nil {
		is = &server{pause: serverPause}
		e.servers[s.VM] = is
	}
	is.Server = s
	for _, n := range s.NICs {
		e.vns[n.VNI].servers[n.MAC] = n.Port
	}
	return is
}

// checkServers finds what servers cannot be here together.
func (e *Edge) checkServers(all []Server) error {
	names, macs := map[evpn.VMID]string{}, map[StationKey]struct{}{}
	for _, s := range all {
		if other, taken := names[s.VM]; taken {
			return fmt.Errorf("server %s: VM %s is server %s", s.Name, s.VM, other)
		}
		names[s.VM] = s.Name
		for _, n := range s.NICs {
			v := e.vns[n.VNI]
			if v == nil {
				return fmt.Errorf("server %s: VNI %d is not served here", s.Name, n.VNI)
			}
			if _, taken := macs[StationKey{n.VNI, n.MAC}]; taken {
				return fmt.Errorf("server %s: MAC %s in VN %s is another server's", s.Name, n.MAC, v.Name)
			}
			macs[StationKey{n.VNI, n.MAC}] = struct{}{}
		}
	}
	return nil
}

// associateServers asks for each server, in the order of the configuration, and forgets those that left it: nobody asks for them any more, so that what the
// kernel still has of them goes when the start is over.
func (e *Edge) associateServers() {
	for _, k := range keysOf(e.memory.Sequences, compareVMKeys) {
		if k.TES == e.config.ID && e.servers[k.VM] == nil {
			delete(e.memory.Sequences, k)
			if e.Store != nil {
				e.Store.DropSequence(k.VM, k.TES)
			}
			e.keep(k, nil)
			e.note(history.Event{Kind: history.KindState, VM: k.VM.String(), TES: k.TES.String(), State: evpn.StateTerminated.String(), Detail: "the server left the configuration"})
		}
	}
	for _, s := range e.config.Servers {
		e.associate(e.servers[s.VM])
	}
	delete(e.unready, e.config.ID) // it has said all it has
}

// associate asks for a server. One that was here before does not claim a MAC that another edge has by now: it is held, as a VM that comes back is.
func (e *Edge) associate(s *server) {
	last, before := e.memory.Sequences[VMKey{s.VM, e.config.ID}]
	switch {
	case s.sequence != 0 && (!before || evpn.SequenceNewer(s.sequence, last)): // it is not decided yet
		s.sequence++
	case before:
		s.sequence = last + 1
	default:
		s.sequence = uint32(e.now.Unix())
	}
	e.local.ended = !before
	for _, r := range e.serverRoutes(s) {
		e.offered(e.local, r)
	}
	e.local.ended = true
}

// serverRoutes is the request for a server: for each NIC a route without IP, and one for each IP.
func (e *Edge) serverRoutes(s *server) []evpn.Route {
	var routes []evpn.Route
	for _, n := range s.NICs {
		for _, ip := range append([]netip.Addr{{}}, n.IPs...) {
			routes = append(routes, evpn.Route{
				RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: e.vns[n.VNI].answerRD, MAC: n.MAC, IP: ip},
				Label:    n.VNI, NextHop: e.nextHop(),
			})
		}
	}
	policies := map[StationKey]*evpn.Policy{}
	for _, n := range s.NICs {
		policies[StationKey{n.VNI, n.MAC}] = n.Policy
	}
	for i := range routes {
		r := &routes[i]
		q := evpn.Request{
			Op: evpn.Associate, Sequence: s.sequence, VM: s.VM, Index: uint8(i + 1), Count: uint8(len(routes)), Policy: policies[StationKey{r.Label, r.MAC}],
		}
		r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(e.config.ID))}, q.Communities()...)
	}
	return routes
}

// answeredServer takes the response to a server's request: what may pass is asked for again.
func (e *Edge) answeredServer(o *offer) {
	s := e.servers[o.request.VM]
	if s == nil || s.retry != nil {
		return
	}
	e.later(func() { // the other routes of the set are answered then
		r := e.records[VMKey{s.VM, e.config.ID}]
		if r == nil || e.servers[s.VM] != s || s.retry != nil || r.procedure != nil {
			return
		}
		if !r.turnedDown() {
			if r.State != lifecycle.Null {
				s.pause = serverPause
			}
			return
		}
		for _, o := range r.offers {
			if !passing(o.stands.reason) {
				return
			}
		}
		s.retry = e.timers.after(e.now, s.pause, func() {
			s.retry = nil
			e.associate(s)
		})
		s.pause = min(2*s.pause, serverMaxPause)
	})
}

// askAgain asks at once for the servers that were refused for somebody else's sake and wait.
func (e *Edge) askAgain() {
	duplicate := func(o *offer) bool { return o.stands.reason == evpn.Duplicate }
	for _, vm := range keysOf(e.servers, compareVMs) {
		s, r := e.servers[vm], e.records[VMKey{vm, e.config.ID}]
		if s.retry == nil || r == nil || !slices.ContainsFunc(r.offers, duplicate) {
			continue
		}
		e.timers.stop(s.retry)
		s.retry = nil
		e.associate(s)
	}
}

// turnedDown reports whether all that is asked for is refused, be it that something before it is kept.
func (r *record) turnedDown() bool {
	for _, o := range r.offers {
		if !o.told || o.stands.status != failStatus(r) {
			return false
		}
	}
	return true
}

// passing reports whether a refusal may pass by itself. A duplicate may: a server that asks again takes nothing from anybody.
func passing(why evpn.Reason) bool {
	switch why {
	case evpn.InvalidFormat, evpn.InvalidVNMACOrTag, evpn.FailedAuthorization, evpn.ConflictPolicies, evpn.UnknownVN, evpn.BadCredential, evpn.UnsupportedType, evpn.Draining:
		return false
	}
	return true
}

// portOf is the port of the VN that a MAC of a TES's VM is behind; empty: none. A server has its own.
func (v *vn) portOf(id evpn.RouterID, mac evpn.MAC) string {
	if id == v.edge {
		return v.servers[mac]
	}
	return v.port[id]
}

// ours reports whether a record is of a server.
func (e *Edge) ours(r *record) bool { return r.key.TES == e.config.ID }

// serverName is the name of the server that a record is of; empty: it is a VM's.
func (e *Edge) serverName(r *record) string {
	if s := e.servers[r.key.VM]; s != nil && e.ours(r) {
		return cmp.Or(s.Name, r.key.VM.String())
	}
	return ""
}
