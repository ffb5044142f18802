package gobgp

import (
	"context"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// stopPatience is how long a stop waits for the peers' goroutines, which have nothing left to wait for.
const stopPatience = 5 * time.Second

// stopServer stops a server: nobody new is let in, each session is closed with CEASE (RFC 4486 §4, peer de-configured), and when the peers' goroutines are
// gone, which GoBGP tells only its log, BGP and the API stop. GoBGP's own stop does not wait: it takes away the settings that they still read.
func stopServer(srv *server.BgpServer, log *logger) {
	ctx := context.Background()
	var dynamic []*api.DynamicNeighbor
	_ = srv.ListDynamicNeighbor(ctx, &api.ListDynamicNeighborRequest{}, func(n *api.DynamicNeighbor) { dynamic = append(dynamic, n) })
	for _, n := range dynamic {
		_ = srv.DeleteDynamicNeighbor(ctx, &api.DeleteDynamicNeighborRequest{Prefix: n.Prefix, PeerGroup: n.PeerGroup})
	}
	var peers []string
	_ = srv.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) { peers = append(peers, p.GetState().GetNeighborAddress()) })
	want := log.freed.Load()
	for _, a := range peers {
		if srv.DeletePeer(ctx, &api.DeletePeerRequest{Address: a}) == nil {
			want++
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(stopPatience); log.freed.Load() < want && time.Now().Before(deadline); {
		<-tick.C
	}
	srv.Stop()
}
