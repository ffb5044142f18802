package gobgp_test

import (
	"context"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/tns-project/tns/speaker/gobgp"
)

// other is a GoBGP that is not ours, as reflectors and other vendors' speakers are.
type other struct {
	*server.BgpServer
	address netip.Addr
}

// otherOptions is what tells one from the other.
type otherOptions struct {
	as        uint32
	reflector bool
	rtc       bool
	noGR      bool
}

var (
	evpnFamily = &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
	rtcFamily  = &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_ROUTE_TARGET_CONSTRAINTS}
)

// startOther lets anyone in.
func startOther(t testing.TB, o otherOptions) *other {
	t.Helper()
	a := address()
	if o.as == 0 {
		o.as = as
	}
	s := gobgp.StartPlain(t, &api.Global{
		Asn: o.as, RouterId: a.String(), ListenPort: port, ListenAddresses: []string{a.String()},
	})
	group := &api.PeerGroup{
		Conf:            &api.PeerGroupConf{PeerGroupName: "anyone"},
		RouteReflector:  &api.RouteReflector{RouteReflectorClient: o.reflector, RouteReflectorClusterId: a.String()},
		GracefulRestart: &api.GracefulRestart{Enabled: !o.noGR, HelperOnly: true, RestartTime: 1},
		Transport:       &api.Transport{PassiveMode: true},
		Timers:          &api.Timers{Config: &api.TimersConfig{HoldTime: 9, KeepaliveInterval: 3}},
		AfiSafis:        []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: evpnFamily, Enabled: true}}},
	}
	if o.reflector {
		group.Conf.PeerAsn = o.as
	}
	if o.rtc {
		group.AfiSafis = append(group.AfiSafis, &api.AfiSafi{Config: &api.AfiSafiConfig{Family: rtcFamily, Enabled: true}})
	}
	must(t, s.AddPeerGroup(t.Context(), &api.AddPeerGroupRequest{PeerGroup: group}))
	must(t, s.AddDynamicNeighbor(t.Context(), &api.AddDynamicNeighborRequest{
		DynamicNeighbor: &api.DynamicNeighbor{Prefix: "127.0.0.0/8", PeerGroup: "anyone"},
	}))
	return &other{BgpServer: s, address: a}
}

// routes is the number of EVPN routes in its table.
func (o *other) routes(t testing.TB) int {
	t.Helper()
	table, err := o.GetTable(context.Background(), &api.GetTableRequest{TableType: api.TableType_GLOBAL, Family: evpnFamily})
	must(t, err)
	return int(table.NumPath)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
