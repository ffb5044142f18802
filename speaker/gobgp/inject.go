package gobgp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"google.golang.org/grpc"

	"github.com/tns-project/tns/evpn"
)

// What people do at the table of a Mirror reaches the peers by its Source: routes that they add, and a soft reset.

// Path attributes that a guard adds for each peer, or that say where the NLRI is.
const (
	attrASPath    = 2
	attrLocalPref = 5
	attrMPReach   = 14
)

// injected is the UPDATE of a path that people add, without attributes that depend on the peer. A next hop that is missing or unspecified is ours, as GoBGP has it.
func injected(clean *api.Path, own netip.Addr) ([]byte, error) {
	hop, attributes := netip.Addr{}, []byte(nil)
	for _, octets := range clean.PattrsBinary {
		switch octets[1] {
		case attrOrigin, attrASPath, attrLocalPref:
			continue
		case attrNextHop, attrMPReach:
			hop = nextHopOf(octets)
			continue
		}
		attributes = append(attributes, octets...)
	}
	if !hop.IsValid() || hop.IsUnspecified() {
		hop = own
	}
	if !hop.IsValid() {
		return nil, errors.New("no next hop, and none of ours to take its place")
	}
	reach := append([]byte{0, byte(familyEVPN.Afi), byte(familyEVPN.Safi), byte(hop.BitLen() / 8)}, hop.AsSlice()...)
	reach = append(append(reach, 0), clean.NlriBinary...)
	attributes = append(attribute(optionalNonTransitive, attrMPReach, reach), attributes...)
	update := make([]byte, 16, 23+len(attributes))
	for i := range update {
		update[i] = 0xff
	}
	update = binary.BigEndian.AppendUint16(update, uint16(23+len(attributes)))
	update = append(update, bgp.BGP_MSG_UPDATE, 0, 0)
	update = binary.BigEndian.AppendUint16(update, uint16(len(attributes)))
	return append(update, attributes...), nil
}

// optionalNonTransitive are the flags of MP_REACH_NLRI.
const optionalNonTransitive = 0x80

// nextHopOf is the next hop of NEXT_HOP or MP_REACH_NLRI.
func nextHopOf(octets []byte) netip.Addr {
	a, err := bgp.GetPathAttribute(octets)
	if err != nil || a.DecodeFromBytes(octets) != nil {
		return netip.Addr{}
	}
	var ip net.IP
	switch v := a.(type) {
	case *bgp.PathAttributeNextHop:
		ip = v.Value
	case *bgp.PathAttributeMpReachNLRI:
		ip = v.Nexthop
	}
	hop, _ := netip.AddrFromSlice(ip)
	return hop.Unmap()
}

// inject has the peers told of a path that people add.
func (g *gate) inject(k evpn.RouteKey, clean *api.Path) error {
	if g.mirror == nil {
		return nil
	}
	update, err := injected(clean, g.mirror.config.NextHop)
	if err == nil {
		g.mirror.source.Inject(k, update)
	}
	return err
}

// eject has the peers told of those that people have added, and that do not stand any more.
func (g *gate) eject(gone func(evpn.RouteKey) bool) {
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	for k := range g.table.foreign {
		if gone(k) {
			g.table.eject(k)
		}
	}
}

// reset resets a session. Softly outwards, the peer is told everything again, by the one who knows it.
func (g *gate) reset(ctx context.Context, r *api.ResetPeerRequest, handler grpc.UnaryHandler) (any, error) {
	// The handler has the inner addresses written into the request.
	address, resend := r.Address, r.Soft && r.Direction != api.ResetPeerRequest_IN
	response, err := g.answer(ctx, r, handler)
	if err != nil || g.mirror == nil || !resend {
		return response, err
	}
	var peer netip.Addr
	if address != "" && address != "all" {
		if peer, err = netip.ParseAddr(address); err != nil {
			return nil, err
		}
	}
	return response, g.mirror.source.Resend(peer)
}

// heldStream gives a handler the request that was read from its stream.
type heldStream struct {
	grpc.ServerStream
	request *api.ListPathRequest
	first   bool
}

func (s *heldStream) RecvMsg(m any) error {
	if r, ok := m.(*api.ListPathRequest); ok && !s.first {
		s.first = true
		r.TableType, r.Name, r.Family, r.Prefixes, r.SortType = s.request.TableType, s.request.Name, s.request.Family, s.request.Prefixes, s.request.SortType
		r.EnableFiltered, r.EnableNlriBinary, r.EnableAttributeBinary, r.EnableOnlyBinary =
			s.request.EnableFiltered, s.request.EnableNlriBinary, s.request.EnableAttributeBinary, s.request.EnableOnlyBinary
		r.BatchSize = s.request.BatchSize
		return nil
	}
	return s.ServerStream.RecvMsg(m)
}

// listing is the stream of a ListPath at a Mirror: everything is filled in that is announced, and what a peer is sent is all of it. GoBGP itself sends nothing.
func (m *Mirror) listing(stream grpc.ServerStream) (grpc.ServerStream, error) {
	r := new(api.ListPathRequest)
	if err := stream.RecvMsg(r); err != nil {
		return nil, err
	}
	if r.TableType == api.TableType_ADJ_OUT {
		if err := m.known(stream.Context(), r.Name); err != nil {
			return nil, err
		}
		r.TableType, r.Name = api.TableType_GLOBAL, ""
	}
	if r.TableType == api.TableType_GLOBAL {
		m.settle()
	}
	return &heldStream{ServerStream: stream, request: r}, nil
}

// known refuses a neighbour that is none.
func (m *Mirror) known(ctx context.Context, address string) error {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return refused("ListPath", err)
	}
	srv, err := m.running()
	if err != nil {
		return refused("ListPath", err)
	}
	err = srv.ListPeer(ctx, &api.ListPeerRequest{Address: m.names.Inner(a).String()}, func(*api.Peer) {})
	if err != nil {
		return refused("ListPath", err)
	}
	return nil
}
