package guard

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net/netip"
)

// pool gives each peer an address on the inner link: where a hash of its own says, or the next one that is free. So a peer has the same one again after a
// restart, unless two collide, and static peers, which come first and in the order of the configuration, always have.
type pool struct {
	network netip.Prefix
	engine  netip.Addr
	of      map[netip.Addr]netip.Addr
	taken   map[netip.Addr]bool
}

func newPool(e Engine) *pool {
	return &pool{network: e.Network, engine: e.Address.Addr(), of: make(map[netip.Addr]netip.Addr), taken: make(map[netip.Addr]bool)}
}

// take is the peer's inner address; it stays the peer's until give.
func (p *pool) take(peer netip.Addr) (netip.Addr, error) {
	if a, ok := p.of[peer]; ok {
		return a, nil
	}
	base := p.network.Addr().As4()
	size := uint32(1) << (32 - p.network.Bits())
	h := fnv.New32a()
	h.Write(peer.AsSlice())
	for n, at := uint32(0), h.Sum32(); n < size; n, at = n+1, at+1 {
		at %= size
		if at == 0 || at == size-1 {
			continue // the network's, and 127.255.255.255
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(base[:])+at)
		if a := netip.AddrFrom4(b); a != p.engine && !p.taken[a] {
			p.of[peer], p.taken[a] = a, true
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("no inner address is free")
}

// give makes the peer's address free.
func (p *pool) give(peer netip.Addr) {
	delete(p.taken, p.of[peer])
	delete(p.of, peer)
}

// InnerPeer is a neighbour as the engine is to be configured: one that dials it, without a password of its own.
type InnerPeer struct {
	Prefix netip.Prefix // a single address for a static peer, the whole inner network for dynamic ones
	Real   netip.Addr   // of a static peer
	Peer   Peer         // its configuration here
}

// InnerPeers is who will dial the engine. The last one, for dynamic peers, has their AS if all have the same. An engine that lets in the last one lets in all; the others tell it who is who beforehand.
func (c Config) InnerPeers() ([]InnerPeer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	var list []InnerPeer
	pool, dynamic := newPool(c.Engine), []InnerPeer(nil)
	for _, p := range c.Peers {
		if p.Dynamic {
			if dynamic != nil && dynamic[0].Peer.AS != p.AS {
				p.AS = 0
			}
			dynamic = []InnerPeer{{Prefix: c.Engine.Network, Peer: Peer{Dynamic: true, AS: p.AS}}}
			continue
		}
		a, err := pool.take(p.Prefix.Addr())
		if err != nil {
			return nil, err
		}
		list = append(list, InnerPeer{Prefix: netip.PrefixFrom(a, 32), Real: p.Prefix.Addr(), Peer: p})
	}
	return append(list, dynamic...), nil
}
