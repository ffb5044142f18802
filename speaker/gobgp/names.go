package gobgp

import (
	"context"
	"net/netip"
	"sync"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Names tells the addresses of peers behind a guard (package speaker/guard): GoBGP knows each by an inner address, people and roles by the real one. What
// is configured is put in; what is not is learned from a capability in which the guard names the peer. It is safe for concurrent use.
type Names struct {
	mu    sync.RWMutex
	real  map[netip.Addr]netip.Addr // by inner address
	inner map[netip.Addr]netip.Addr // by real address
}

// addressCapability is guard.AddressCapability.
const addressCapability = 240

// NewNames is no names yet.
func NewNames() *Names {
	return &Names{real: make(map[netip.Addr]netip.Addr), inner: make(map[netip.Addr]netip.Addr)}
}

// Set joins two addresses; what either was before is forgotten.
func (n *Names) Set(inner, real netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.inner, n.real[inner])
	delete(n.real, n.inner[real])
	n.real[inner], n.inner[real] = real, inner
}

// Real is the real address of an inner one, or the address itself if it has none.
func (n *Names) Real(inner netip.Addr) netip.Addr { return n.in(n.real, inner) }

// Inner is the inner address of a real one, or the address itself if it has none.
func (n *Names) Inner(real netip.Addr) netip.Addr { return n.in(n.inner, real) }

func (n *Names) in(list map[netip.Addr]netip.Addr, a netip.Addr) netip.Addr {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if b, ok := list[a]; ok {
		return b
	}
	return a
}

// learn takes from a peer's OPEN whose it really is.
func (n *Names) learn(p *api.Peer) {
	inner, ok := parseAddr(p.GetState().GetNeighborAddress())
	if !ok {
		return
	}
	for _, c := range p.GetState().GetRemoteCap() {
		var v api.UnknownCapability
		if c.UnmarshalTo(&v) != nil || v.Code != addressCapability {
			continue
		}
		if real, ok := netip.AddrFromSlice(v.Value); ok && n.Real(inner) != real {
			n.Set(inner, real)
		}
	}
}

// Unary and Stream are interceptors for GoBGP's gRPC API: people name a peer by its real address, and are told it.
func (n *Names) Unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	n.rewrite(request, n.Inner, named)
	response, err := handler(ctx, request)
	n.rewrite(response, n.Real, anywhere)
	return response, err
}

// Stream is Unary for streams.
func (n *Names) Stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, namedStream{stream, n})
}

type namedStream struct {
	grpc.ServerStream
	names *Names
}

func (s namedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	s.names.rewrite(m, s.names.Inner, named)
	return err
}

func (s namedStream) SendMsg(m any) error {
	if r, ok := m.(*api.ListPeerResponse); ok {
		s.names.learn(r.GetPeer())
	}
	s.names.rewrite(m, s.names.Real, anywhere)
	return s.ServerStream.SendMsg(m)
}

// named are the fields in which a request names a peer; anything else that looks like an address is a route's.
func named(f protoreflect.FieldDescriptor) bool {
	switch f.Name() {
	case "address", "name", "neighbor_address", "peer_address":
		return true
	}
	return false
}

// anywhere: an inner address in an answer is always a peer's.
func anywhere(protoreflect.FieldDescriptor) bool { return true }

// rewrite puts other addresses into the string fields of a message.
func (n *Names) rewrite(message any, other func(netip.Addr) netip.Addr, where func(protoreflect.FieldDescriptor) bool) {
	if m, ok := message.(proto.Message); ok && m != nil {
		rewriteIn(m.ProtoReflect(), other, where)
	}
}

func rewriteIn(m protoreflect.Message, other func(netip.Addr) netip.Addr, where func(protoreflect.FieldDescriptor) bool) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			for i := range v.List().Len() {
				rewriteIn(v.List().Get(i).Message(), other, where)
			}
		case f.Kind() == protoreflect.MessageKind:
			rewriteIn(v.Message(), other, where)
		case f.Kind() == protoreflect.StringKind && !f.IsList() && where(f):
			if a, err := netip.ParseAddr(v.String()); err == nil {
				if b := other(a); b != a {
					m.Set(f, protoreflect.ValueOfString(b.String()))
				}
			}
		}
		return true
	})
}
