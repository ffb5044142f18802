package config

import (
	"errors"
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

var routerID = kind[evpn.RouterID]{
	"a dotted quad such as 192.0.2.1, from 1.0.0.0 up and not within 16.0.0.0/8",
	func(s string) (evpn.RouterID, error) {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is4() {
			return 0, errors.New("not an identifier")
		}
		id, err := evpn.ParseRouterID(s)
		if err != nil {
			return 0, errors.New("an identifier that could be read as a VNI's route target")
		}
		return id, nil
	},
}

var routeTarget = kind[evpn.RouteTarget]{
	"AS:number or a.b.c.d:number, such as 65000:10100",
	func(s string) (evpn.RouteTarget, error) {
		rt, err := evpn.ParseRouteTarget(s)
		if err != nil {
			return rt, errors.New("not a route target")
		}
		for _, signalling := range []evpn.RouteTarget{evpn.RequestTarget(firstID), evpn.ResponseTarget(firstID)} {
			if [4]byte(rt[:4]) == [4]byte(signalling[:4]) && rt[4] != 0 && rt[4] != 16 { // 0 and 16 are no router-id's
				return rt, errors.New("a route target of the signalling between TES and NVE, which must not reach a VN")
			}
		}
		return rt, nil
	},
}

// firstID is the lowest router-id that an NVE or TES can have, 1.0.0.0.
const firstID evpn.RouterID = 1 << 24
