package gobgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/speaker"
)

const (
	// restartTime is the restart time we tell (RFC 4724 §3), the least there is. We only help others to restart, so that End-of-RIB is sent; our own
	// routes are stale as soon as the session is lost, and a peer must not wait longer than that before it lets us connect again.
	restartTime = 1

	// membershipWait is how long, with route target constraint, our routes wait for the peer's memberships (RFC 4684 §6: until its End-of-RIB). Without
	// it GoBGP sends End-of-RIB before the routes. It ends early with the peer's End-of-RIB for memberships.
	membershipWait = 30
)

// addPeers adds the configured peers: static ones, and a group with its prefixes for all dynamic ones with the same settings.
func (s *Speaker) addPeers(ctx context.Context) error {
	groups := make(map[Peer]string)
	for _, p := range s.config.Peers {
		if !p.Dynamic {
			if err := s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.staticPeer(p)}); err != nil {
				return fmt.Errorf("add peer %v: %w", p.Prefix.Addr(), err)
			}
			continue
		}
		settings := p
		settings.Prefix = Peer{}.Prefix
		name, ok := groups[settings]
		if !ok {
			name = fmt.Sprintf("dynamic-%d", len(groups)+1)
			groups[settings] = name
			if err := s.server.AddPeerGroup(ctx, &api.AddPeerGroupRequest{PeerGroup: s.peerGroup(name, p)}); err != nil {
				return fmt.Errorf("add dynamic peers %v: %w", p.Prefix, err)
			}
		}
		// GoBGP does not check that the group is there.
		request := &api.AddDynamicNeighborRequest{DynamicNeighbor: &api.DynamicNeighbor{Prefix: p.Prefix.String(), PeerGroup: name}}
		if err := s.server.AddDynamicNeighbor(ctx, request); err != nil {
			return fmt.Errorf("add dynamic peers %v: %w", p.Prefix, err)
		}
	}
	return nil
}

// redial forgets a peer whose session was lost, and makes it anew if it is a static one; a dynamic one is made when it connects. Left alone, GoBGP neither
// connects to it nor lets it in for five seconds, and then, as it takes the peer for one that restarts, tells it End-of-RIB before the routes that its
// memberships ask for.
func (s *Speaker) redial(ctx context.Context, addr netip.Addr) {
	p, static := s.static(addr)
	if ctx.Err() != nil || s.watch.isUp(addr) || !static && !s.isRestarting(ctx, addr) {
		return
	}
	err := s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: addr.String()})
	if err == nil && static {
		err = s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.staticPeer(p)})
	}
	if err != nil && ctx.Err() == nil {
		s.config.Log.WithField("peer", s.log.named(addr.String())).WithError(err).Warn("cannot connect anew at once")
	}
}

// isRestarting reports whether GoBGP waits for a peer to restart. Else it has forgotten a dynamic one by itself, and what is there may be its next session.
func (s *Speaker) isRestarting(ctx context.Context, addr netip.Addr) (restarting bool) {
	_ = s.server.ListPeer(ctx, &api.ListPeerRequest{Address: addr.String()}, func(p *api.Peer) {
		restarting = p.GetGracefulRestart().GetPeerRestarting()
	})
	return restarting
}

// static is the configured static peer with that address.
func (s *Speaker) static(addr netip.Addr) (Peer, bool) {
	for _, p := range s.config.Peers {
		if !p.Dynamic && p.Prefix.Addr() == addr {
			return p, true
		}
	}
	return Peer{}, false
}

func (s *Speaker) staticPeer(p Peer) *api.Peer {
	return &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: p.Prefix.Addr().String(), PeerAsn: p.AS, AuthPassword: p.Password, Description: p.Description,
		},
		EbgpMultihop: multihop(p), Timers: timers(p), Transport: transport(p), GracefulRestart: gracefulRestart(), AfiSafis: s.families(),
	}
}

func (s *Speaker) peerGroup(name string, p Peer) *api.PeerGroup {
	group := &api.PeerGroup{
		Conf: &api.PeerGroupConf{
			PeerGroupName: name, PeerAsn: p.AS, AuthPassword: p.Password, Description: p.Description,
		},
		EbgpMultihop: multihop(p), Timers: timers(p), Transport: transport(p), GracefulRestart: gracefulRestart(), AfiSafis: s.families(),
	}
	if s.config.source != nil {
		// GoBGP tells a client of a route server nothing of the global table, which is what our own routes are in, without a look at each client for each
		// route. And what the clients send is not for each other.
		group.RouteServer = &api.RouteServer{RouteServerClient: true}
		reject := &api.PolicyAssignment{DefaultAction: api.RouteAction_REJECT}
		group.ApplyPolicy = &api.ApplyPolicy{ImportPolicy: reject, ExportPolicy: reject}
	}
	return group
}

func timers(p Peer) *api.Timers {
	return &api.Timers{Config: &api.TimersConfig{
		HoldTime:          uint64(p.HoldTime / time.Second),
		KeepaliveInterval: uint64(p.HoldTime / 3 / time.Second),
		ConnectRetry:      uint64(p.ConnectRetry / time.Second),
	}}
}

func transport(p Peer) *api.Transport {
	t := &api.Transport{RemotePort: uint32(p.Port), PassiveMode: p.Dynamic}
	if p.LocalAddress.IsValid() {
		t.LocalAddress = p.LocalAddress.String()
	}
	return t
}

func multihop(p Peer) *api.EbgpMultihop {
	return &api.EbgpMultihop{Enabled: p.MultihopTTL > 0, MultihopTtl: uint32(p.MultihopTTL)}
}

func gracefulRestart() *api.GracefulRestart {
	return &api.GracefulRestart{Enabled: true, HelperOnly: true, RestartTime: restartTime}
}

// families is EVPN, and route target constraint if there is a membership to announce: a peer that has it would send us nothing without one.
func (s *Speaker) families() []*api.AfiSafi {
	families := []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: familyEVPN, Enabled: true}}}
	if len(s.config.RouteTargets) > 0 {
		families = append(families, &api.AfiSafi{
			Config:                &api.AfiSafiConfig{Family: familyRTC, Enabled: true},
			RouteTargetMembership: &api.RouteTargetMembership{Config: &api.RouteTargetMembershipConfig{DeferralTime: membershipWait}},
		})
	}
	return families
}

// Sessions implements speaker.Speaker.
func (s *Speaker) Sessions() ([]speaker.Session, error) {
	srv, err := s.running()
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var sessions []speaker.Session
	err = srv.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		if session, ok := s.sessionOf(p); ok {
			sessions = append(sessions, session)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	slices.SortFunc(sessions, func(a, b speaker.Session) int { return a.Peer.Compare(b.Peer) })
	return sessions, nil
}

func (s *Speaker) sessionOf(p *api.Peer) (speaker.Session, bool) {
	peer, ok := parseAddr(p.GetState().GetNeighborAddress())
	if !ok {
		if peer, ok = parseAddr(p.GetConf().GetNeighborAddress()); !ok {
			return speaker.Session{}, false
		}
	}
	_, static := s.static(peer)
	v := speaker.Session{
		Peer: peer, AS: p.GetState().GetPeerAsn(), State: strings.ToLower(p.GetState().GetSessionState().String()),
		Description: p.GetConf().GetDescription(), Dynamic: !static,
		Received: p.GetState().GetMessages().GetReceived().GetUpdate(), Sent: p.GetState().GetMessages().GetSent().GetUpdate(),
	}
	v.LocalAddress, _ = parseAddr(p.GetTransport().GetLocalAddress())
	if v.LocalAddress.IsValid() && v.LocalAddress.IsUnspecified() {
		v.LocalAddress = speaker.Session{}.LocalAddress
	}
	for _, f := range p.GetAfiSafis() {
		if f.GetState().GetFamily().GetSafi() == familyEVPN.Safi {
			v.Routes = int(f.GetState().GetAccepted())
		}
	}
	v.Since = s.watch.since(peer)
	if p.GetState().GetSessionState() == api.PeerState_ESTABLISHED {
		v.RouterID, _ = decodeRouterID(p.GetState().GetRouterId())
	}
	return v, true
}
