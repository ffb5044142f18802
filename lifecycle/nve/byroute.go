package nve

import (
	"iter"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// byRoute is what a VM has of something, one for each of a few routes, in the routes' order.
type byRoute[T routed] []T

// routed is something that belongs to a route, mostly a request's.
type routed interface {
	comparable
	nlri() evpn.RouteKey
}

type (
	offers    = byRoute[*offer]
	bindings  = byRoute[*binding]
	decisions = byRoute[*decision]
)

func (o *offer) nlri() evpn.RouteKey    { return o.route.RouteKey }
func (b *binding) nlri() evpn.RouteKey  { return b.key }
func (d *decision) nlri() evpn.RouteKey { return d.of.route.RouteKey }
func (i *imported) nlri() evpn.RouteKey { return i.key }

func (all byRoute[T]) find(k evpn.RouteKey) (at int, found bool) {
	return slices.BinarySearchFunc(all, k, func(one T, k evpn.RouteKey) int { return compareRoutes(one.nlri(), k) })
}

// get is the route's, nil if it has none.
func (all byRoute[T]) get(k evpn.RouteKey) (one T) {
	if at, found := all.find(k); found {
		return all[at]
	}
	return one
}

// put adds one, in the place of the one that its route has, if it has one.
func (all *byRoute[T]) put(one T) {
	at, found := all.find(one.nlri())
	if found {
		(*all)[at] = one
		return
	}
	*all = slices.Insert(*all, at, one)
}

// drop takes away what the route has. Who goes through them goes through a copy.
func (all *byRoute[T]) drop(k evpn.RouteKey) {
	if at, found := all.find(k); found {
		*all = slices.Delete(*all, at, at+1)
	}
}

// stationsOf is the stations of bindings, each once, in the order of their routes.
func stationsOf(bs bindings) iter.Seq[*station] {
	return func(yield func(*station) bool) {
		for i, b := range bs {
			if among(bs[:i], b.station()) {
				continue
			}
			if st := b.vn.stations[b.key.MAC]; st != nil && !yield(st) {
				return
			}
		}
	}
}

// among reports whether some of the bindings are of a (VN, MAC).
func among(bs bindings, k StationKey) bool {
	for _, b := range bs {
		if b.station() == k {
			return true
		}
	}
	return false
}
