package gobgp_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
)

// withAPI serves the API on a socket of its own, in a directory that is not there yet.
func withAPI(t testing.TB, c gobgp.Config) (gobgp.Config, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobgp") // t.TempDir is too long for a socket's name
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.API = "unix://" + filepath.Join(dir, "run", "api.sock")
	return c, c.API
}

// cli runs the stock command.
func cli(t testing.TB, target string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "gobgp", append([]string{"--target", target}, args...)...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}

// client is one in this process. No test of the API is in parallel: a GoBGP that has one sets a variable of the gRPC library when it is made, which the client
// of another test would read meanwhile.
func client(t testing.TB, target string) api.GobgpApiClient {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return api.NewGobgpApiClient(conn)
}

// Not in parallel: GoBGP lists a table outside of its loop, where it cannot be held still while another test starts a speaker.
func TestStockCommandReadsAndIsRefusedWrites(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.Peers = append(c.Peers, anyone())
	passive, active := start(t, c), start(t, activeFrom(b, to(b, a)))
	active.announce(t, macRoute(1))
	passive.announce(t, macRoute(2))
	passive.WaitRoute(t, 0, macRoute(1).RouteKey)
	for _, read := range []struct {
		args string
		want string
	}{
		{"global", "65000"},
		{"global rib -a evpn", "02:00:00:00:00:02"},
		{"global rib -a evpn -j", "02:00:00:00:00:02"},
		{"global rib -a evpn macadv", "02:00:00:00:00:02"},
		{"neighbor", b.String()},
		{"neighbor " + b.String(), "BGP state = ESTABLISHED"},
		{"neighbor " + b.String() + " adj-in -a evpn", "02:00:00:00:00:01"},
		{"neighbor " + b.String() + " adj-out -a evpn", "02:00:00:00:00:02"},
		{"policy", "tns-import"},
		{"global policy", "tns-import"},
	} {
		out, err := cli(t, target, strings.Fields(read.args)...)
		if err != nil || !strings.Contains(out, read.want) {
			t.Errorf("gobgp %s: %v\n%s\nwant %q", read.args, err, out, read.want)
		}
	}
	for _, write := range []string{
		"global rib add -a evpn macadv 02:00:00:00:00:09 0.0.0.0 etag 0 label 10 rd 10.0.0.9:1 rt 65000:1 encap vxlan",
		"global rib del -a evpn macadv 02:00:00:00:00:02 0.0.0.0 etag 0 label 10 rd 198.51.100.1:1",
		"global rib del all -a evpn",
		"neighbor " + b.String() + " reset",
		"neighbor " + b.String() + " softreset",
		"neighbor " + b.String() + " disable",
		"neighbor del " + b.String(),
		"neighbor add 192.0.2.9 as 65000",
		"global del all",
		"global policy import add tns-import",
		"log-level debug",
	} {
		out, err := cli(t, target, strings.Fields(write)...)
		if err == nil && !strings.Contains(out, "refused") {
			t.Errorf("gobgp %s was not refused:\n%s", write, out)
		}
	}
	if missing, foreign, err := passive.Check(); err != nil || len(missing)+len(foreign) > 0 {
		t.Errorf("missing %v, foreign %v, %v", missing, foreign, err)
	}
}

// What is refused whether or not the API may write, and never ends the process.
func TestAPIRefusesWhatWouldBreakTheDaemon(t *testing.T) {
	for _, write := range []bool{false, true} {
		a := address()
		c, target := withAPI(t, speakerOn(a))
		c.APIWrite = write
		s := start(t, c)
		s.announce(t, macRoute(1))
		do := client(t, target)
		unary := map[string]func(context.Context) error{
			"StartBgp": func(ctx context.Context) error {
				_, err := do.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 1, RouterId: "1.2.3.4", ListenPort: -1}})
				return err
			},
			"StopBgp":     func(ctx context.Context) error { _, err := do.StopBgp(ctx, &api.StopBgpRequest{}); return err },
			"SetPolicies": func(ctx context.Context) error { _, err := do.SetPolicies(ctx, &api.SetPoliciesRequest{}); return err },
			"AddDynamicNeighbor": func(ctx context.Context) error {
				_, err := do.AddDynamicNeighbor(ctx, &api.AddDynamicNeighborRequest{DynamicNeighbor: &api.DynamicNeighbor{Prefix: "10.0.0.0/8", PeerGroup: "none"}})
				return err
			},
			"DeletePolicyAssignment": func(ctx context.Context) error {
				_, err := do.DeletePolicyAssignment(ctx, &api.DeletePolicyAssignmentRequest{
					Assignment: &api.PolicyAssignment{Name: "global", Direction: api.PolicyDirection_IMPORT}, All: true})
				return err
			},
			"DisablePeer": func(ctx context.Context) error {
				_, err := do.DisablePeer(ctx, &api.DisablePeerRequest{Address: "192.0.2.1"})
				return err
			},
			"ShutdownPeer": func(ctx context.Context) error {
				_, err := do.ShutdownPeer(ctx, &api.ShutdownPeerRequest{Address: "192.0.2.1"})
				return err
			},
			"AddVrf":      func(ctx context.Context) error { _, err := do.AddVrf(ctx, &api.AddVrfRequest{}); return err },
			"SetLogLevel": func(ctx context.Context) error { _, err := do.SetLogLevel(ctx, &api.SetLogLevelRequest{}); return err },
			"AddPathStream": func(ctx context.Context) error {
				stream, err := do.AddPathStream(ctx)
				if err != nil {
					return err
				}
				_, err = stream.CloseAndRecv()
				return err
			},
			"WatchEvent of one peer after policy": func(ctx context.Context) error {
				stream, err := do.WatchEvent(ctx, &api.WatchEventRequest{Table: &api.WatchEventRequest_Table{
					Filters: []*api.WatchEventRequest_Table_Filter{{Type: api.WatchEventRequest_Table_Filter_POST_POLICY, Init: true, PeerAddress: "192.0.2.1"}},
				}})
				if err != nil {
					return err
				}
				_, err = stream.Recv()
				return err
			},
		}
		for name, call := range unary {
			if err := call(t.Context()); status.Code(err) != codes.PermissionDenied {
				t.Errorf("write %t: %s: got %v", write, name, err)
			}
		}
		if missing, _, err := s.Check(); err != nil || len(missing) > 0 {
			t.Errorf("write %t: missing %v, %v", write, missing, err)
		}
	}
}

// A writer may reset a session, which comes back, but not leave it down.
func TestAPIWriteLeavesSessionsUp(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite = true
	c.Peers = append(c.Peers, anyone())
	s, peer := start(t, c), start(t, activeFrom(b, to(b, a)))
	s.announce(t, macRoute(1))
	_, next := peer.WaitRoute(t, 0, macRoute(1).RouteKey)
	for i, test := range []struct {
		command string
		refused string
	}{
		{"disable", "DisablePeer refused: the session would stay down"},
		{"shutdown", "ShutdownPeer refused: the session would stay down"},
		{"softreset", ""},
		{"reset", ""},
	} {
		out, err := cli(t, target, "neighbor", b.String(), test.command)
		if test.refused == "" && err != nil || !strings.Contains(out, test.refused) {
			t.Errorf("gobgp neighbor %s: %v\n%s\nwant %q", test.command, err, out, test.refused)
		}
		route := macRoute(byte(2 + i))
		s.announce(t, route)
		_, next = peer.WaitRoute(t, next, route.RouteKey)
	}
}

// apiPath is a type 2 path as a client makes it.
func apiPath(mac string, communities ...any) *api.Path {
	nlri, _ := anypb.New(&api.EVPNMACIPAdvertisementRoute{
		Rd: mustAny(&api.RouteDistinguisherIPAddress{Admin: "10.0.0.9", Assigned: 1}), Esi: &api.EthernetSegmentIdentifier{Value: make([]byte, 9)},
		MacAddress: mac, Labels: []uint32{10},
	})
	ecs := &api.ExtendedCommunitiesAttribute{Communities: []*anypb.Any{
		mustAny(&api.TwoOctetAsSpecificExtended{IsTransitive: true, SubType: 2, Asn: 8394, LocalAdmin: 0xc0000201}),
	}}
	for _, c := range communities {
		switch c := c.(type) {
		case *api.UnknownExtended:
			ecs.Communities = append(ecs.Communities, mustAny(c))
		case *api.MacMobilityExtended:
			ecs.Communities = append(ecs.Communities, mustAny(c))
		}
	}
	return &api.Path{Family: evpnFamily, Nlri: nlri, Pattrs: []*anypb.Any{
		mustAny(&api.OriginAttribute{}), mustAny(&api.NextHopAttribute{NextHop: "198.51.100.9"}), mustAny(ecs),
	}}
}

func mustAny(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// A writer's garbage breaks nothing, and does not change what we announce.
func TestAPIWriteOfGarbage(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite = true
	c.Peers = append(c.Peers, anyone())
	s, peer := start(t, c), start(t, activeFrom(b, to(b, a)))
	own := macRoute(1)
	s.announce(t, own)
	peer.WaitRoute(t, 0, own.RouteKey)
	do := client(t, target)
	garbage := map[string]*api.Path{
		"none":                              nil,
		"no family":                         {},
		"no NLRI":                           {Family: evpnFamily},
		"no attributes":                     {Family: evpnFamily, Nlri: apiPath("02:00:00:00:00:09").Nlri},
		"octets cut off":                    {Family: evpnFamily, NlriBinary: []byte{2, 33, 0, 1, 10}},
		"a MAC that is none":                apiPath("nonsense"),
		"another family":                    {Family: rtcFamily, NlriBinary: []byte{0}, PattrsBinary: [][]byte{{0x40, 1, 1, 0}}},
		"attributes cut off":                {Family: evpnFamily, Nlri: apiPath("02:00:00:00:00:09").Nlri, PattrsBinary: [][]byte{{0xc0}, {0xc0, 16, 8, 0}}},
		"a MAC mobility":                    apiPath("02:00:00:00:00:09", &api.MacMobilityExtended{SequenceNum: 99}),
		"a MAC mobility in disguise":        apiPath("02:00:00:00:00:09", &api.UnknownExtended{Type: 6, Value: make([]byte, 7)}),
		"an unknown EVPN community":         apiPath("02:00:00:00:00:09", &api.UnknownExtended{Type: 6, Value: []byte{8, 0, 0, 0, 0, 0, 0}}),
		"our MAC":                           apiPath("02:00:00:00:00:01"),
		"a withdrawal, which AddPath sends": {Family: evpnFamily, Nlri: apiPath("02:00:00:00:00:01").Nlri, IsWithdraw: true},
	}
	for name, p := range garbage {
		if _, err := do.AddPath(t.Context(), &api.AddPathRequest{Path: p}); err == nil {
			t.Errorf("AddPath of %s: no error", name)
		}
		if p == nil {
			continue
		}
		_, _ = do.DeletePath(t.Context(), &api.DeletePathRequest{Path: p}) // some are keys to delete; that it comes back is enough
	}
	if _, err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	// What is no garbage is added, seen by peers, and gives way to ours.
	if _, err := do.AddPath(t.Context(), &api.AddPathRequest{Path: apiPath("02:00:00:00:00:07")}); err != nil {
		t.Fatal(err)
	}
	missing, foreign, err := s.Check()
	if err != nil || len(missing) != 0 || len(foreign) != 1 || foreign[0].MAC != (evpn.MAC{2, 0, 0, 0, 0, 7}) {
		t.Fatalf("missing %v, foreign %v, %v", missing, foreign, err)
	}
	_, next := peer.WaitRoute(t, 0, foreign[0])
	ours := macRoute(7)
	ours.Communities = append(ours.Communities, evpn.MACMobility{Sequence: 3}.Community())
	s.announce(t, ours)
	peer.WaitWithdrawal(t, next, foreign[0])
	got, _ := peer.WaitRoute(t, next, ours.RouteKey)
	if diff := cmp.Diff(ours, got.Route, cmp.Comparer(addrs)); diff != "" {
		t.Error(diff)
	}
}

// What someone else deletes is signalled and put back with the content it had.
func TestDeletedByHandIsRestored(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.APIWrite = true
	c.Peers = append(c.Peers, anyone())
	s, peer := start(t, c), start(t, activeFrom(b, to(b, a)))
	route := contents()[len(contents())-8]
	route.RD = evpn.NewRD(0x0a000009, 1)
	s.announce(t, route, macRoute(2))
	_, next := peer.WaitRoute(t, 0, route.RouteKey)
	select {
	case <-s.OwnChanges():
		t.Fatal("Announce is signalled as a change by someone else")
	default:
	}
	for _, test := range []struct {
		deletion string
		missing  int
	}{
		{"global rib del -a evpn macadv " + route.MAC.String() + " 0.0.0.0 etag 0 label 10100 rd 10.0.0.9:1 rt 8394:1", 1}, // 0.0.0.0: no address
		{"global rib del all -a evpn", 2},
	} {
		if out, err := cli(t, target, strings.Fields(test.deletion)...); err != nil {
			t.Fatalf("gobgp %s: %v\n%s", test.deletion, err, out)
		}
		select {
		case <-s.OwnChanges():
		case <-time.After(time.Second):
			t.Fatalf("gobgp %s was not signalled within a second", test.deletion)
		}
		_, next = peer.WaitWithdrawal(t, next, route.RouteKey)
		if own, err := s.Own(); err != nil || len(own) != 2-test.missing {
			t.Fatalf("own %v, %v", own, err)
		}
		if missing, _, err := s.Check(); err != nil || len(missing) != test.missing {
			t.Fatalf("missing %v, %v", missing, err)
		}
		if n, err := s.Restore(); err != nil || n != test.missing {
			t.Fatalf("restored %d, %v", n, err)
		}
		var got speaker.Event
		got, next = peer.WaitRoute(t, next, route.RouteKey)
		if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
			t.Error(diff)
		}
		if n, err := s.Restore(); err != nil || n != 0 {
			t.Errorf("restored %d more, %v", n, err)
		}
	}
	if stats := s.Stats(); stats.Restored != 3 {
		t.Errorf("%+v", stats)
	}
}

func TestAPISocketIsOursAlone(t *testing.T) {
	c, target := withAPI(t, activeFrom(address()))
	socket := strings.TrimPrefix(target, "unix://")
	// A dead process left its socket.
	must(t, os.MkdirAll(filepath.Dir(socket), 0o700))
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	must(t, err)
	left.SetUnlinkOnClose(false)
	must(t, left.Close())
	s := start(t, c)
	info, err := os.Stat(socket)
	must(t, err)
	if mode := info.Mode(); mode.Type() != os.ModeSocket || mode.Perm() != 0o600 {
		t.Errorf("socket has mode %v", mode)
	}
	if entries, err := os.ReadDir(filepath.Dir(socket)); err != nil || len(entries) != 1 {
		t.Errorf("left beside the socket: %v, %v", entries, err)
	}
	// A live one keeps it.
	second := run(t, c)
	if err := second.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second speaker on the socket: %v", err)
	}
	if _, err := cli(t, target, "global"); err != nil {
		t.Errorf("the first does not answer any more: %v", err)
	}
	must(t, s.Close())
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("socket after Close: %v", err)
	}
}

func TestAPIDirectoryIsMade(t *testing.T) {
	c, target := withAPI(t, activeFrom(address()))
	start(t, c)
	info, err := os.Stat(filepath.Dir(strings.TrimPrefix(target, "unix://")))
	must(t, err)
	if info.Mode().Perm() != 0o750 {
		t.Errorf("directory has mode %v", info.Mode())
	}
}

func TestAPIOnLoopback(t *testing.T) {
	a := address()
	c := activeFrom(a)
	c.API = net.JoinHostPort(a.String(), "50051")
	start(t, c)
	if out, err := cli(t, c.API, "global"); err != nil || !strings.Contains(out, "65000") {
		t.Errorf("%v\n%s", err, out)
	}
	// A port that is taken does not end the process.
	second := run(t, c)
	if err := second.Open(t.Context()); err == nil {
		t.Error("a second speaker on the port: no error")
	}
}

// A watcher sees what is announced, as `gobgp monitor global rib -a evpn` does.
func TestAPIWatch(t *testing.T) {
	c, target := withAPI(t, activeFrom(address()))
	s := start(t, c)
	stream, err := client(t, target).WatchEvent(t.Context(), &api.WatchEventRequest{Table: &api.WatchEventRequest_Table{
		Filters: []*api.WatchEventRequest_Table_Filter{{Type: api.WatchEventRequest_Table_Filter_BEST, Init: true}},
	}})
	must(t, err)
	s.announce(t, macRoute(1))
	for {
		event, err := stream.Recv()
		must(t, err)
		if paths := event.GetTable().GetPaths(); len(paths) == 1 && paths[0].GetFamily().GetSafi() == evpnFamily.Safi {
			return
		}
	}
}

// No reader's nonsense ends the process.
func TestAPIReadsOfNonsense(t *testing.T) {
	a, b := address(), address()
	c, target := withAPI(t, speakerOn(a))
	c.Peers = append(c.Peers, anyone())
	s, peer := start(t, c), start(t, activeFrom(b, to(b, a)))
	s.announce(t, macRoute(1))
	peer.WaitRoute(t, 0, macRoute(1).RouteKey)
	do := client(t, target)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// drain reads a stream to its end, and is content with any.
	type stream interface{ RecvMsg(any) error }
	drain := func(s stream, err error) {
		for err == nil {
			err = s.RecvMsg(new(emptypb.Empty))
		}
	}
	families := []*api.Family{nil, {}, {Afi: 99, Safi: 99}, evpnFamily, rtcFamily, {Afi: 1, Safi: 1}}
	names := []string{"", "nonsense", b.String(), "10.0.0.0/99"}
	for _, f := range families {
		for _, name := range names {
			for table := api.TableType(0); table < 7; table++ {
				for _, prefixes := range [][]*api.TableLookupPrefix{nil, {nil}, {{Prefix: "nonsense", Type: 9, Rd: "x"}}, {{Prefix: "10.0.0.0/8", Type: 1}}, {{Prefix: "macadv"}}} {
					drain(do.ListPath(ctx, &api.ListPathRequest{TableType: table, Family: f, Name: name, Prefixes: prefixes, EnableFiltered: true}))
				}
				_, _ = do.GetTable(ctx, &api.GetTableRequest{TableType: table, Family: f, Name: name})
			}
		}
		drain(do.ListRpkiTable(ctx, &api.ListRpkiTableRequest{Family: f}))
		drain(do.ListRpki(ctx, &api.ListRpkiRequest{Family: f}))
	}
	for _, name := range names {
		drain(do.ListPeer(ctx, &api.ListPeerRequest{Address: name, EnableAdvertised: true}))
		drain(do.ListPeerGroup(ctx, &api.ListPeerGroupRequest{PeerGroupName: name}))
		drain(do.ListDynamicNeighbor(ctx, &api.ListDynamicNeighborRequest{PeerGroup: name}))
		drain(do.ListVrf(ctx, &api.ListVrfRequest{Name: name}))
		drain(do.ListPolicy(ctx, &api.ListPolicyRequest{Name: name}))
		drain(do.ListStatement(ctx, &api.ListStatementRequest{Name: name}))
		for i := range int32(10) {
			drain(do.ListDefinedSet(ctx, &api.ListDefinedSetRequest{DefinedType: api.DefinedType(i), Name: name}))
			drain(do.ListPolicyAssignment(ctx, &api.ListPolicyAssignmentRequest{Name: name, Direction: api.PolicyDirection(i)}))
		}
	}
	drain(do.ListBmp(ctx, &api.ListBmpRequest{}))
	for _, filter := range []*api.WatchEventRequest_Table_Filter{nil, {Type: 99}, {Type: 1, PeerGroup: "nonsense", Init: true}, {Type: 2, Init: true}} {
		watching, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		drain(do.WatchEvent(watching, &api.WatchEventRequest{Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{filter}}}))
		stop()
	}
	if _, err := do.GetBgp(ctx, &api.GetBgpRequest{}); err != nil {
		t.Error(err)
	}
	s.announce(t, macRoute(2))
	peer.WaitRoute(t, 0, macRoute(2).RouteKey)
}
