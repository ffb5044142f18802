package nve

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// Servers that the configuration has or has no more while the edge runs. They change in place: another edge, as for any other change, takes its time.

// TakeServers makes the servers those of next, which is all of them. Who is new is associated, who is there no more is terminated, and who has changed asks for
// what it is now, with a newer sequence; the others notice nothing. The outcome of their requests comes later, as that of any.
//
// Taken is false if all is as it was: because of what speaks against it, or, if nothing does, because only another edge can do it in one go. That is so where a MAC or IP
// goes from one server to another, a MAC goes to another port, or a server changes that another edge holds a MAC of.
func (e *Edge) TakeServers(ctx context.Context, next []Server) (taken bool, against []string, err error) {
	err = e.ask(ctx, func() { taken, against = e.takeServers(next) })
	return taken, against, err
}

func (e *Edge) takeServers(next []Server) (taken bool, against []string) {
	if !e.fabricDone {
		return false, []string{startNotOver}
	}
	if err := e.checkServers(next); err != nil {
		return false, []string{err.Error()}
	}
	changed := slices.DeleteFunc(slices.Clone(next), func(s Server) bool {
		is := e.servers[s.VM]
		return is != nil && is.asksFor(s)
	})
	for _, s := range changed {
		if !e.changesInPlace(s) {
			return false, nil
		}
	}
	names := make(map[evpn.VMID]string, len(next))
	for _, s := range next {
		names[s.VM] = s.Name
	}
	for _, vm := range keysOf(e.servers, compareVMs) {
		if name, stays := names[vm]; stays {
			e.servers[vm].Name = name
		} else {
			e.dropServer(vm)
		}
	}
	e.config.Servers = next
	for _, s := range changed {
		e.changeServer(s)
	}
	e.forgetPorts()
	return true, nil
}

// asksFor reports whether a server is asked for as it is.
func (s *Server) asksFor(next Server) bool {
	return slices.EqualFunc(s.NICs, next.NICs, func(a, b NIC) bool {
		return a.VNI == b.VNI && a.Port == b.Port && a.MAC == b.MAC && slices.Equal(a.IPs, b.IPs) && equalPolicy(a.Policy, b.Policy)
	})
}

// changesInPlace reports whether a server can become what it is to be while the edge runs: nothing that it is to have is another one's still, or behind another port.
func (e *Edge) changesInPlace(s Server) bool {
	r := e.records[VMKey{s.VM, e.config.ID}]
	if r != nil && r.Outranked {
		return false // what it asks for now would be refused, and what it has come back
	}
	another := func(of *record) bool { return of != nil && of != r && e.ours(of) }
	for _, n := range s.NICs {
		if st := e.stations[StationKey{n.VNI, n.MAC}]; st != nil {
			if slices.ContainsFunc(st.records, another) {
				return false
			}
		}
		if port, known := e.vns[n.VNI].servers[n.MAC]; known && port != n.Port && e.portStands(StationKey{n.VNI, n.MAC}) {
			return false
		}
		for _, ip := range n.IPs {
			if p := e.ips[ipKey{n.VNI, ip}]; p != nil && (another(p.holder) || another(p.claimant)) {
				return false
			}
		}
	}
	return true
}

// changeServer asks for a server that is new or another now, and takes back what was asked for before.
func (e *Edge) changeServer(s Server) {
	is := e.addServer(s)
	e.timers.stop(is.retry)
	is.retry, is.pause = nil, serverPause
	before := e.routesOf(s.VM)
	e.associate(is)
	for _, k := range before {
		if o := e.requests.get(k); o.request.Sequence != is.sequence {
			e.dropFrom(e.local, k, withdrewDirect)
		}
	}
}

// dropServer ends a server that is not in the configuration any more.
func (e *Edge) dropServer(vm evpn.VMID) {
	e.timers.stop(e.servers[vm].retry)
	delete(e.servers, vm)
	for _, k := range e.routesOf(vm) {
		e.dropFrom(e.local, k, withdrewDirect)
	}
}

// routesOf is what is asked for for a server, in order.
func (e *Edge) routesOf(vm evpn.VMID) (keys []evpn.RouteKey) {
	if r := e.records[VMKey{vm, e.config.ID}]; r != nil {
		for _, o := range r.offers {
			keys = append(keys, o.route.RouteKey)
		}
	}
	return keys
}

// abandoned reports whether a record is of a server that has left the configuration.
func (e *Edge) abandoned(r *record) bool {
	return e.ours(r) && len(r.offers) == 0 && e.servers[r.key.VM] == nil
}

// endServer ends an abandoned record at once. Nobody would hear of a memory of its end: there is none.
func (e *Edge) endServer(r *record) {
	switch {
	case r.alive():
		e.own(r, lifecycle.Terminate)
	case r.State == lifecycle.Terminated:
		e.unkeepAll(r)
		e.enter(r, lifecycle.Association{}, "the server left the configuration")
	default:
		e.unkeepAll(r)
	}
}

// portStands reports whether the port that a server's MAC is behind may matter still: somebody holds it, or a server is being let in that may.
func (e *Edge) portStands(k StationKey) bool {
	if st := e.stations[k]; st != nil && slices.ContainsFunc(st.records, e.ours) {
		return true
	}
	for r := range e.ownRecords() {
		if r.procedure != nil {
			return true
		}
	}
	return false
}

// ownRecords are those of servers.
func (e *Edge) ownRecords() iter.Seq[*record] {
	if t := e.tess[e.config.ID]; t != nil {
		return maps.Values(t.records)
	}
	return func(func(*record) bool) {}
}

// forgetPorts forgets where MACs were that are no server's and that nobody holds any more.
func (e *Edge) forgetPorts() {
	configured := map[StationKey]struct{}{}
	for _, s := range e.config.Servers {
		for _, n := range s.NICs {
			configured[StationKey{n.VNI, n.MAC}] = struct{}{}
		}
	}
	for _, v := range e.vns {
		for mac := range v.servers {
			k := StationKey{v.VNI, mac}
			if _, is := configured[k]; !is && !e.portStands(k) {
				delete(v.servers, mac)
			}
		}
	}
}
