package wire

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/tns-project/tns/evpn"
)

// What GoBGP does with a message: the parser and the validation of its session (pkg/server/fsm.go), and the conversion of its watchers.

var everyFamily = Session{Families: []Family{EVPN, RouteTargets, IPv4Unicast}, FourOctetAS: true, Internal: true}

// likeGoBGP parses a message as GoBGP does when it comes in, and returns what it would withdraw and announce.
func likeGoBGP(msg []byte, s Session) (*bgp.BGPUpdate, error) {
	m, err := bgp.ParseBGPMessage(msg)
	if err != nil {
		return nil, fmt.Errorf("GoBGP cannot parse it: %w", err)
	}
	if err := bgp.ValidateBGPMessage(m); err != nil {
		return nil, fmt.Errorf("GoBGP refuses it: %w", err)
	}
	families := make(map[bgp.RouteFamily]bgp.BGPAddPathMode)
	for _, f := range s.Families {
		families[bgp.AfiSafiToRouteFamily(f.AFI(), f.SAFI())] = bgp.BGP_ADD_PATH_NONE
	}
	u := m.Body.(*bgp.BGPUpdate)
	if ok, err := bgp.ValidateUpdateMsg(u, families, !s.Internal, false, true); !ok {
		return nil, fmt.Errorf("GoBGP finds it invalid: %w", err)
	}
	return u, nil
}

// routes are the NLRI of an update as GoBGP writes them, and checks that its watchers can have them.
func routes(u *bgp.BGPUpdate) (withdrawn, announced []string, err error) {
	list := func(to *[]string, family Family, n bgp.AddrPrefixInterface) {
		b, e := n.Serialize()
		if e != nil {
			err = fmt.Errorf("GoBGP cannot write %v: %w", n, e)
		}
		_ = n.String()
		if message, e := apiutil.MarshalNLRI(n); e != nil {
			err = fmt.Errorf("GoBGP cannot tell its watchers %v: %w", n, e)
		} else if _, e := apiutil.UnmarshalNLRI(bgp.AfiSafiToRouteFamily(n.AFI(), n.SAFI()), message); e != nil {
			err = fmt.Errorf("GoBGP's watchers cannot read %v: %w", n, e)
		}
		*to = append(*to, fmt.Sprintf("%v %x", family, b))
	}
	for _, n := range u.WithdrawnRoutes {
		list(&withdrawn, IPv4Unicast, n)
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			if a.Nexthop == nil {
				return nil, nil, fmt.Errorf("MP_REACH_NLRI without a next hop")
			}
			for _, n := range a.Value {
				list(&announced, NewFamily(a.AFI, a.SAFI), n)
			}
		case *bgp.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				list(&withdrawn, NewFamily(a.AFI, a.SAFI), n)
			}
		}
	}
	for _, n := range u.NLRI {
		list(&announced, IPv4Unicast, n)
	}
	return withdrawn, announced, err
}

// communities are the extended communities that GoBGP holds, joined with the hidden ones.
func communities(u *bgp.BGPUpdate) (told []evpn.ExtendedCommunity, err error) {
	var hidden []byte
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range a.Value {
				b, err := c.Serialize()
				if err != nil {
					return nil, err
				}
				if len(b) != 8 {
					return nil, fmt.Errorf("GoBGP writes %v as %x", c, b)
				}
				told = append(told, evpn.ExtendedCommunity(b))
			}
		case *bgp.PathAttributeUnknown:
			if a.Type == AttributeHidden {
				hidden = a.Value
			}
		}
	}
	return RestoreCommunities(told, hidden)
}

// property checks all that a Filter promises of one message.
func property(f *Filter, msg []byte) error {
	v := f.Update(msg)
	if v.Reset != nil {
		if len(v.Forward)+len(v.Announced)+len(v.Withdrawn) > 0 || v.Decision != Reset || v.Reset.Code == 0 {
			return fmt.Errorf("a reset, with %d messages, decision %v", len(v.Forward), v.Decision)
		}
		return nil
	}
	if v.Decision == Reset || v.Decision == Withdraw && len(v.Announced) > 0 {
		return fmt.Errorf("decision %v, with %d announced", v.Decision, len(v.Announced))
	}
	inner := f.session
	inner.FourOctetAS = true
	var withdrawn, announced []string
	for _, m := range v.Forward {
		u, err := likeGoBGP(m, inner)
		if err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
		if end, _ := u.IsEndOfRib(); end != (v.EndOfRIB != 0) {
			return fmt.Errorf("%x: End-of-RIB %v, must be %v", m, end, v.EndOfRIB)
		}
		if _, err := apiutil.MarshalPathAttributes(u.PathAttributes); err != nil {
			return fmt.Errorf("%x: GoBGP cannot tell its watchers: %w", m, err)
		}
		w, a, err := routes(u)
		if err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
		withdrawn, announced = append(withdrawn, w...), append(announced, a...)
		if len(a) == 0 {
			continue
		}
		cs, err := communities(u)
		if err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
		if err := sameCommunities(cs, sent(msg)); err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
	}
	if want := texts(v.Withdrawn); !slices.Equal(withdrawn, want) {
		return fmt.Errorf("GoBGP withdraws %v, must %v", withdrawn, want)
	}
	if want := texts(v.Announced); !slices.Equal(announced, want) {
		return fmt.Errorf("GoBGP announces %v, must %v", announced, want)
	}
	return again(&v.Update, inner)
}

// again checks that what is packed from the verdict says the same, also to GoBGP.
func again(u *Update, s Session) error {
	changes := u.Changes()
	msgs, unsent := Pack(changes, s)
	if len(unsent) > 0 {
		return fmt.Errorf("%d changes do not fit, but came in one message", len(unsent))
	}
	then, now := NewTable(), NewTable()
	then.Apply(changes)
	for _, m := range msgs {
		if len(m) > MaxLength {
			return fmt.Errorf("message of %d octets", len(m))
		}
		if _, err := likeGoBGP(m, s); err != nil {
			return fmt.Errorf("what was packed, %x: %w", m, err)
		}
		u, err := ParseUpdate(m)
		if err != nil {
			return fmt.Errorf("what was packed, %x: %w", m, err)
		}
		now.Apply(u.Changes())
	}
	if d := Diff(then, now); len(d) > 0 {
		return fmt.Errorf("packed and read again, %d routes differ: %x", len(d), d[0].NLRI)
	}
	return nil
}

// texts are NLRI as GoBGP is to write them.
func texts(list []NLRI) (s []string) {
	for _, n := range list {
		b := slices.Clone(n.Octets)
		if spare := (8 - b[0]%8) % 8; n.Family == IPv4Unicast && spare > 0 {
			b[len(b)-1] &= 0xff << spare
		}
		s = append(s, fmt.Sprintf("%v %x", n.Family, b))
	}
	return s
}

// sent are the extended communities of a message that is in order.
func sent(msg []byte) (list []evpn.ExtendedCommunity) {
	l, err := layoutOf(msg)
	if err != nil {
		return nil
	}
	attributes, _, _ := splitAttributes(nil, msg, l.attributes, l.nlri)
	for _, a := range attributes {
		if a.typ != attrExtended {
			continue
		}
		for v := msg[a.value:a.end]; len(v) >= 8; v = v[8:] {
			list = append(list, seen(v))
		}
		return list
	}
	return nil
}

func sameCommunities(a, b []evpn.ExtendedCommunity) error {
	order := func(x, y evpn.ExtendedCommunity) int { return bytes.Compare(x[:], y[:]) }
	a, b = slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order)
	if !slices.Equal(a, b) {
		return fmt.Errorf("extended communities %x, must be %x", a, b)
	}
	return nil
}
