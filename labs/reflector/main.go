//go:debug multipathtcp=0

// Command reflector is a route reflector for labs: GoBGP, iBGP clients out of one prefix, EVPN and RTC.
//
// It stands in for FRR where FRR is not installed, and beside it where a reflector without FRR's 50 ms hold of every best
// path is to be measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	apipb "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "reflector:", err)
		os.Exit(1)
	}
}

// group is the peer group of the clients.
const group = "clients"

func run(ctx context.Context) error {
	as := flag.Uint("as", 0, "AS number")
	id := flag.String("router-id", "", "router-id, also the cluster id")
	clients := flag.String("clients", "", "prefix that the clients connect from")
	graceful := flag.Bool("graceful-restart", false, "negotiate graceful restart, as helper, so that clients are sent End-of-RIB")
	flag.Parse()
	prefix, err := netip.ParsePrefix(*clients)
	if err != nil {
		return fmt.Errorf("-clients: %w", err)
	}
	s := server.NewBgpServer()
	go s.Serve()
	err = s.StartBgp(ctx, &apipb.StartBgpRequest{Global: &apipb.Global{Asn: uint32(*as), RouterId: *id, ListenPort: 179}})
	if err != nil {
		return fmt.Errorf("start BGP as %s in AS %d: %w", *id, *as, err)
	}
	var restart *apipb.GracefulRestart // GoBGP sends End-of-RIB only where it is negotiated
	if *graceful {
		restart = &apipb.GracefulRestart{Enabled: true, HelperOnly: true, RestartTime: 120}
	}
	err = s.AddPeerGroup(ctx, &apipb.AddPeerGroupRequest{PeerGroup: &apipb.PeerGroup{
		Conf:            &apipb.PeerGroupConf{PeerGroupName: group, PeerAsn: uint32(*as)},
		Transport:       &apipb.Transport{PassiveMode: true},
		Timers:          &apipb.Timers{Config: &apipb.TimersConfig{HoldTime: 9, KeepaliveInterval: 3}},
		GracefulRestart: restart,
		RouteReflector:  &apipb.RouteReflector{RouteReflectorClient: true, RouteReflectorClusterId: *id},
		AfiSafis: []*apipb.AfiSafi{
			family(apipb.Family_AFI_L2VPN, apipb.Family_SAFI_EVPN, *graceful),
			family(apipb.Family_AFI_IP, apipb.Family_SAFI_ROUTE_TARGET_CONSTRAINTS, *graceful),
		},
	}})
	if err != nil {
		return fmt.Errorf("configure the clients: %w", err)
	}
	err = s.AddDynamicNeighbor(ctx, &apipb.AddDynamicNeighborRequest{
		DynamicNeighbor: &apipb.DynamicNeighbor{Prefix: prefix.String(), PeerGroup: group},
	})
	if err != nil {
		return fmt.Errorf("accept clients from %s: %w", prefix, err)
	}
	<-ctx.Done()
	return s.StopBgp(context.Background(), &apipb.StopBgpRequest{})
}

func family(afi apipb.Family_Afi, safi apipb.Family_Safi, graceful bool) *apipb.AfiSafi {
	f := &apipb.AfiSafi{Config: &apipb.AfiSafiConfig{Family: &apipb.Family{Afi: afi, Safi: safi}, Enabled: true}}
	if graceful {
		f.MpGracefulRestart = &apipb.MpGracefulRestart{Config: &apipb.MpGracefulRestartConfig{Enabled: true}}
	}
	return f
}
