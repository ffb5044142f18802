package gobgp

import (
	"errors"
	"fmt"
	"net/netip"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// errOtherType is a route type that is not ours to read.
var errOtherType = errors.New("route type is neither 2 nor 3")

// decode reads a path as GoBGP reports it. A route that is returned is whole; with an error the key is returned when it could be read.
func decode(p *api.Path) (r evpn.Route, err error) {
	defer func() { // GoBGP's conversions index into what peers sent
		if e := recover(); e != nil {
			err = fmt.Errorf("read path: %v", e)
		}
	}()
	r, err = decodeNLRI(p)
	if err != nil || p.IsWithdraw {
		return r, err
	}
	key := evpn.Route{RouteKey: r.RouteKey}
	for _, a := range p.Pattrs {
		if err := decodeAttribute(&r, a); err != nil {
			return key, fmt.Errorf("read %v: %w", key.RouteKey, err)
		}
	}
	if !r.NextHop.IsValid() {
		return key, fmt.Errorf("read %v: no next hop", key.RouteKey)
	}
	return r, nil
}

// decodeNLRI reads the key, and of type 2 ESI and label. GoBGP gives a type 2 route without IP the address "<nil>", which its own parser takes for none.
func decodeNLRI(p *api.Path) (evpn.Route, error) {
	if p.Nlri == nil {
		return evpn.Route{}, errors.New("read path: no NLRI that GoBGP could write")
	}
	if !p.Nlri.MessageIs((*api.EVPNMACIPAdvertisementRoute)(nil)) && !p.Nlri.MessageIs((*api.EVPNInclusiveMulticastEthernetTagRoute)(nil)) {
		return evpn.Route{}, errOtherType
	}
	native, err := apiutil.UnmarshalNLRI(bgp.RF_EVPN, p.Nlri)
	if err != nil {
		return evpn.Route{}, fmt.Errorf("read NLRI: %w", err)
	}
	b, err := native.Serialize()
	if err != nil {
		return evpn.Route{}, fmt.Errorf("read NLRI: %w", err)
	}
	r, _, err := evpn.DecodeNLRI(b)
	return r, err
}

// decodeAttribute reads the attributes that a Route has; others are of no use to us.
func decodeAttribute(r *evpn.Route, a *anypb.Any) error {
	switch {
	case a.MessageIs((*api.MpReachNLRIAttribute)(nil)):
		var v api.MpReachNLRIAttribute
		if err := a.UnmarshalTo(&v); err != nil {
			return err
		}
		if len(v.NextHops) == 0 {
			return errors.New("MP_REACH_NLRI without a next hop")
		}
		return decodeNextHop(r, v.NextHops[0])
	case a.MessageIs((*api.NextHopAttribute)(nil)):
		var v api.NextHopAttribute
		if err := a.UnmarshalTo(&v); err != nil {
			return err
		}
		return decodeNextHop(r, v.NextHop)
	case a.MessageIs((*api.ExtendedCommunitiesAttribute)(nil)):
		return decodeCommunities(r, a)
	case a.MessageIs((*api.UnknownAttribute)(nil)):
		return decodeHidden(r, a)
	case a.MessageIs((*api.LargeCommunitiesAttribute)(nil)):
		var v api.LargeCommunitiesAttribute
		if err := a.UnmarshalTo(&v); err != nil {
			return err
		}
		for _, c := range v.Communities {
			r.LargeCommunities = append(r.LargeCommunities, evpn.LargeCommunity{Global: c.GlobalAdmin, Data1: c.LocalData1, Data2: c.LocalData2})
		}
	case a.MessageIs((*api.PmsiTunnelAttribute)(nil)):
		var v api.PmsiTunnelAttribute
		if err := a.UnmarshalTo(&v); err != nil {
			return err
		}
		pmsi, err := evpn.DecodePMSITunnel(append([]byte{byte(v.Flags), byte(v.Type), byte(v.Label >> 16), byte(v.Label >> 8), byte(v.Label)}, v.Id...))
		if err != nil {
			return err
		}
		r.PMSI = &pmsi
	case a.MessageIs((*api.OriginatorIdAttribute)(nil)):
		var v api.OriginatorIdAttribute
		if err := a.UnmarshalTo(&v); err != nil {
			return err
		}
		id, err := decodeRouterID(v.Id)
		if err != nil {
			return fmt.Errorf("ORIGINATOR_ID: %w", err)
		}
		r.OriginatorID = id
	}
	return nil
}

// decodeCommunities brings all extended communities back to their eight octets, known to GoBGP or not.
func decodeCommunities(r *evpn.Route, a *anypb.Any) error {
	native, err := apiutil.UnmarshalAttribute(a)
	if err != nil {
		return fmt.Errorf("extended communities: %w", err)
	}
	list := native.(*bgp.PathAttributeExtendedCommunities).Value
	for _, c := range list {
		b, err := c.Serialize()
		if err != nil {
			return fmt.Errorf("extended community %v: %w", c, err)
		}
		if len(b) != len(evpn.ExtendedCommunity{}) {
			return fmt.Errorf("extended community %v: has %d octets, must have 8", c, len(b))
		}
		r.Communities = append(r.Communities, evpn.ExtendedCommunity(b))
	}
	return nil
}

// decodeHidden gives back the communities that a guard hid from GoBGP.
func decodeHidden(r *evpn.Route, a *anypb.Any) (err error) {
	var v api.UnknownAttribute
	if err := a.UnmarshalTo(&v); err != nil {
		return err
	}
	if v.Type == wire.AttributeHidden {
		r.Communities, err = wire.RestoreCommunities(r.Communities, v.Value)
	}
	return err
}

func decodeNextHop(r *evpn.Route, s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf("next hop: %w", err)
	}
	r.NextHop = a.Unmap()
	return nil
}

// decodeRouterID reads a router-id of a peer as 32 bits, whatever its value.
func decodeRouterID(s string) (evpn.RouterID, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("router-id %q: must be an IPv4 address", s)
	}
	b := a.As4()
	return evpn.RouterID(b[0])<<24 | evpn.RouterID(b[1])<<16 | evpn.RouterID(b[2])<<8 | evpn.RouterID(b[3]), nil
}
