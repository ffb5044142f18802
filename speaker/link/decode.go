package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// Said is what an UPDATE says of EVPN routes of type 2 and 3. A route that is both withdrawn and announced is announced (RFC 4271 §4.3).
type Said struct {
	Withdrawn []evpn.RouteKey
	Announced []evpn.Route // Communities and LargeCommunities are shared, by other UPDATEs too, and are not to be changed
	Refused   []Refusal
	Skipped   int  // routes of other types
	EndOfRIB  bool // for EVPN
}

// Refusal is a route that could not be read. Its key is zero if that could not be either.
type Refusal struct {
	Key evpn.RouteKey
	Err error
}

// Decoder reads UPDATEs one after the other. It is not safe for concurrent use; the zero value is ready.
type Decoder struct {
	reader     wire.Reader
	said       Said
	octets     []byte // of the attributes that were read last
	attributes attributes
	err        error // why these could not be read
}

// attributes are those that a Route has, but for the next hop.
type attributes struct {
	communities  []evpn.ExtendedCommunity
	large        []evpn.LargeCommunity
	pmsi         *evpn.PMSITunnel
	originatorID evpn.RouterID
}

// Update reads a whole UPDATE. What it says is valid until the next one; the routes in it own what they have. An error is of an UPDATE whose routes cannot
// be told.
func (d *Decoder) Update(update []byte) (*Said, error) {
	s := &d.said
	d.reader.Bare = true
	*s = Said{Withdrawn: s.Withdrawn[:0], Announced: s.Announced[:0], Refused: s.Refused[:0]}
	u, err := d.reader.Update(update)
	if err != nil {
		return nil, err
	}
	s.EndOfRIB = u.EndOfRIB == wire.EVPN
	for i := range u.Withdrawn {
		if r, ok := d.route(&u.Withdrawn[i]); ok {
			s.Withdrawn = append(s.Withdrawn, r.RouteKey)
		}
	}
	if len(u.Announced) == 0 {
		return s, nil
	}
	if d.octets == nil || !bytes.Equal(d.octets, u.Attributes) {
		d.octets = append(d.octets[:0], u.Attributes...)
		d.attributes, d.err = readAttributes(u.Attributes)
	}
	for i := range u.Announced {
		n := &u.Announced[i]
		r, ok := d.route(n)
		if !ok {
			continue
		}
		hop, valid := netip.AddrFromSlice(n.NextHop)
		err := d.err
		if err == nil && !valid {
			err = errors.New("no next hop")
		}
		if err != nil {
			s.Refused = append(s.Refused, Refusal{r.RouteKey, fmt.Errorf("read %v: %w", r.RouteKey, err)})
			continue
		}
		r.NextHop = hop.Unmap()
		r.Communities, r.LargeCommunities, r.PMSI, r.OriginatorID = d.attributes.communities, d.attributes.large, d.attributes.pmsi, d.attributes.originatorID
		s.Announced = append(s.Announced, r)
	}
	return s, nil
}

// route reads an NLRI. One that is not ours to read is counted, or refused.
func (d *Decoder) route(n *wire.NLRI) (r evpn.Route, ok bool) {
	if n.Family != wire.EVPN {
		return r, false
	}
	if t := evpn.RouteType(n.Octets[0]); t != evpn.MACIPAdvertisement && t != evpn.InclusiveMulticast {
		d.said.Skipped++
		return r, false
	}
	r, _, err := evpn.DecodeNLRI(n.Octets)
	if err != nil {
		d.said.Refused = append(d.said.Refused, Refusal{Err: err})
		return r, false
	}
	return r, true
}

// readAttributes reads the path attributes that a Route has; others are of no use to us. Extended communities that the guard hid from GoBGP are given back.
func readAttributes(b []byte) (a attributes, err error) {
	var hidden []byte
	for len(b) > 0 {
		typ, value, rest, ok := nextAttribute(b)
		if !ok {
			return attributes{}, errors.New("path attributes end inside one")
		}
		b = rest
		switch typ {
		case attrExtendedCommunities:
			if len(value)%8 != 0 {
				return attributes{}, fmt.Errorf("extended communities of %d octets, they have 8 each", len(value))
			}
			a.communities = slices.Grow(a.communities, len(value)/8)
			for ; len(value) > 0; value = value[8:] {
				a.communities = append(a.communities, evpn.ExtendedCommunity(value))
			}
		case wire.AttributeHidden:
			hidden = value
		case attrLargeCommunities:
			if len(value)%12 != 0 {
				return attributes{}, fmt.Errorf("large communities of %d octets, they have 12 each", len(value))
			}
			a.large = slices.Grow(a.large, len(value)/12)
			for ; len(value) > 0; value = value[12:] {
				a.large = append(a.large, evpn.LargeCommunity{
					Global: binary.BigEndian.Uint32(value), Data1: binary.BigEndian.Uint32(value[4:]), Data2: binary.BigEndian.Uint32(value[8:]),
				})
			}
		case attrPMSITunnel:
			pmsi, err := evpn.DecodePMSITunnel(value)
			if err != nil {
				return attributes{}, err
			}
			a.pmsi = &pmsi
		case attrOriginatorID:
			if len(value) != 4 {
				return attributes{}, fmt.Errorf("ORIGINATOR_ID of %d octets, it has 4", len(value))
			}
			a.originatorID = evpn.RouterID(binary.BigEndian.Uint32(value))
		}
	}
	if hidden != nil {
		a.communities = slices.Grow(a.communities, len(hidden)/8)
		if a.communities, err = wire.RestoreCommunities(a.communities, hidden); err != nil {
			return attributes{}, err
		}
	}
	return a, nil
}

// nextAttribute takes the first attribute off.
func nextAttribute(b []byte) (typ byte, value, rest []byte, ok bool) {
	if len(b) < 3 {
		return 0, nil, nil, false
	}
	length, at := int(b[2]), 3
	if b[0]&flagExtendedLength != 0 {
		if len(b) < 4 {
			return 0, nil, nil, false
		}
		length, at = int(binary.BigEndian.Uint16(b[2:])), 4
	}
	if len(b) < at+length {
		return 0, nil, nil, false
	}
	return b[1], b[at : at+length], b[at+length:], true
}
