package gobgp

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tns-project/tns/evpn"
)

// gate stands before GoBGP's gRPC API. Readers may list, get and watch. Writers may add and delete EVPN routes of types 2 and 3, and reset sessions,
// which come back by themselves; nobody may take a session down for good, start or stop BGP, or change peers and policies, on which the daemon
// depends. GoBGP runs requests in its one loop, where a
// panic ends the process, so what a writer sends is read and written again before GoBGP sees it.
type gate struct {
	standing func() (map[evpn.RouteKey]*api.Path, error)

	table  *table
	mirror *Mirror // nil: GoBGP speaks for itself
	write  bool
	names  *Names        // nil: none
	lists  chan struct{} // a token for each listing at a time: one holds GoBGP's loop for as long as its table is big
}

// maxLists is how many tables may be listed at a time.
const maxLists = 2

func (s *Speaker) gate() *gate {
	return &gate{standing: s.standing, table: s.table, mirror: s.mirror, write: s.config.APIWrite, lists: make(chan struct{}, maxLists), names: s.config.Names}
}

func (g *gate) options() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream)}
	if g.names != nil {
		options = append(options, grpc.ChainUnaryInterceptor(g.names.Unary), grpc.ChainStreamInterceptor(g.names.Stream))
	}
	return options
}

// reads reports whether the method only reads.
func reads(method string) bool {
	return strings.HasPrefix(method, "List") || strings.HasPrefix(method, "Get") || method == "WatchEvent"
}

func (g *gate) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	method := path.Base(info.FullMethod)
	defer recovered(method, &err)
	if reads(method) {
		return g.answer(ctx, request, handler)
	}
	if !g.write {
		return nil, readOnly(method)
	}
	switch r := request.(type) {
	case *api.AddPathRequest:
		return g.addPath(ctx, r, handler)
	case *api.DeletePathRequest:
		return g.deletePath(ctx, r, handler)
	case *api.ResetPeerRequest:
		return g.reset(ctx, r, handler)
	case *api.EnablePeerRequest:
		return g.answer(ctx, request, handler)
	case *api.DisablePeerRequest, *api.ShutdownPeerRequest:
		return nil, refused(method, errors.New("the session would stay down, and the daemon depends on it; reset and softreset are allowed"))
	}
	return nil, refused(method, errors.New("it is the daemon's to do"))
}

// asked begins a request that needs the table; done ends it.
func (g *gate) asked(ctx context.Context) (done func(), err error) {
	if g.mirror == nil {
		return func() {}, nil
	}
	return g.mirror.asked(ctx)
}

// answer has GoBGP answer a request as it is.
func (g *gate) answer(ctx context.Context, request any, handler grpc.UnaryHandler) (any, error) {
	done, err := g.asked(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return handler(ctx, request)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	method := path.Base(info.FullMethod)
	defer recovered(method, &err)
	if !reads(method) {
		if !g.write {
			return readOnly(method)
		}
		return refused(method, errors.New("use AddPath"))
	}
	done, err := g.asked(stream.Context())
	if err != nil {
		return err
	}
	defer done()
	if method == "ListPath" {
		select {
		case g.lists <- struct{}{}:
			defer func() { <-g.lists }()
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	var checked grpc.ServerStream = checkedStream{stream, ctx, cancel}
	if method == "ListPath" && g.mirror != nil {
		if checked, err = g.mirror.listing(checked); err != nil {
			return err
		}
	}
	return handler(srv, checked)
}

// checkedStream refuses the one watch that ends the process: with local routes, after policy, of one peer, with what is there already. And it ends the
// stream of a client that does not read: what a watch has to say waits in memory, without limit.
type checkedStream struct {
	grpc.ServerStream
	ctx    context.Context
	cancel context.CancelFunc
}

// sendPatience is how long a client may leave a message unread while its window is full.
const sendPatience = 10 * time.Second

func (s checkedStream) Context() context.Context { return s.ctx }

func (s checkedStream) SendMsg(m any) error {
	defer time.AfterFunc(sendPatience, s.cancel).Stop()
	return s.ServerStream.SendMsg(m)
}

func (s checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if r, ok := m.(*api.WatchEventRequest); ok {
		for _, f := range r.GetTable().GetFilters() {
			if f.GetType() == api.WatchEventRequest_Table_Filter_POST_POLICY && (f.GetPeerAddress() != "" || f.GetPeerGroup() != "") {
				return refused("WatchEvent", errors.New("GoBGP cannot watch one peer after policy; watch ADJIN, or all peers"))
			}
		}
	}
	return nil
}

// addPath adds a path that is not ours. A MAC that we announce is refused, and so is a MAC mobility community: GoBGP would let it change our routes.
func (g *gate) addPath(ctx context.Context, r *api.AddPathRequest, handler grpc.UnaryHandler) (any, error) {
	if r.TableType != api.TableType_GLOBAL || r.VrfId != "" {
		return nil, refused("AddPath", errors.New("only the global table is served"))
	}
	key, clean, err := cleanPath(r.Path)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "AddPath: %v", err)
	}
	done, err := g.asked(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	g.settle()
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	if at, ok := macOf(key); ok && len(g.table.macs[at]) > 0 {
		return nil, refused("AddPath", fmt.Errorf("%v is announced by the daemon", key.MAC))
	}
	if _, ok := g.table.routes[key]; ok {
		return nil, refused("AddPath", fmt.Errorf("%v is announced by the daemon", key))
	}
	response, err := handler(ctx, &api.AddPathRequest{TableType: r.TableType, Path: clean})
	if err != nil {
		return nil, err
	}
	g.table.foreign[key] = true
	g.table.changed()
	if err := g.inject(key, clean); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "AddPath: nobody is told of %v: %v", key, err)
	}
	return response, nil
}

// deletePath deletes a path, the one with a UUID, or all EVPN paths. Ours may be among them: the owner hears of it and puts them back.
func (g *gate) deletePath(ctx context.Context, r *api.DeletePathRequest, handler grpc.UnaryHandler) (any, error) {
	if r.TableType != api.TableType_GLOBAL || r.VrfId != "" {
		return nil, refused("DeletePath", errors.New("only the global table is served"))
	}
	request := &api.DeletePathRequest{TableType: r.TableType, Uuid: r.Uuid}
	var key evpn.RouteKey
	switch {
	case r.Path != nil:
		var err error
		if key, err = cleanKey(r.Path); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "DeletePath: %v", err)
		}
		if request.Path, err = encodeWithdrawal(key); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "DeletePath: %v", err)
		}
	case len(r.Uuid) == 0:
		if r.Family != nil && (r.Family.Afi != familyEVPN.Afi || r.Family.Safi != familyEVPN.Safi) {
			return nil, refused("DeletePath", errors.New("only the family evpn is served"))
		}
		request.Family = familyEVPN
	}
	done, err := g.asked(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	g.settle()
	response, err := g.locked(ctx, request, handler)
	if err != nil {
		return nil, err
	}
	gone := func(k evpn.RouteKey) bool { return k == key }
	switch {
	case len(r.Uuid) > 0:
		standing, err := g.standing()
		if err != nil {
			return nil, err
		}
		gone = func(k evpn.RouteKey) bool { return standing[k] == nil }
	case r.Path == nil:
		gone = func(evpn.RouteKey) bool { return true }
	}
	g.eject(gone)
	g.table.changed()
	return response, nil
}

// locked changes GoBGP's table.
func (g *gate) locked(ctx context.Context, request any, handler grpc.UnaryHandler) (any, error) {
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	return handler(ctx, request)
}

// settle has the table as it is announced before somebody changes it.
func (g *gate) settle() {
	if g.mirror != nil {
		g.mirror.settle()
	}
}

// cleanPath reads a path that someone else made and writes it again, in octets: what GoBGP will find there it has read once, here, without harm.
func cleanPath(p *api.Path) (key evpn.RouteKey, clean *api.Path, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("path cannot be read: %v", e)
		}
	}()
	key, err = cleanKey(p)
	if err != nil {
		return key, nil, err
	}
	if p.IsWithdraw {
		return key, nil, errors.New("path is a withdrawal, use DeletePath")
	}
	nlri, err := apiutil.GetNativeNlri(p)
	if err != nil {
		return key, nil, err
	}
	clean = &api.Path{Family: familyEVPN}
	if clean.NlriBinary, err = nlri.Serialize(); err != nil {
		return key, nil, err
	}
	attrs, err := apiutil.GetNativePathAttributes(p)
	if err != nil {
		return key, nil, err
	}
	size := messageReserve + len(clean.NlriBinary)
	for _, a := range attrs {
		octets, err := cleanAttribute(a)
		if err != nil {
			return key, nil, err
		}
		clean.PattrsBinary = append(clean.PattrsBinary, octets)
		size += len(octets)
	}
	if size > maxMessage {
		return key, nil, fmt.Errorf("an UPDATE of about %d octets, at most %d can be sent", size, maxMessage)
	}
	return key, clean, nil
}

func cleanAttribute(a bgp.PathAttributeInterface) ([]byte, error) {
	octets, err := a.Serialize()
	if err != nil {
		return nil, err
	}
	again, err := bgp.GetPathAttribute(octets)
	if err != nil {
		return nil, err
	}
	if err := again.DecodeFromBytes(octets); err != nil {
		return nil, err
	}
	if communities, ok := again.(*bgp.PathAttributeExtendedCommunities); ok {
		for _, c := range communities.Value {
			if _, ok := c.(*bgp.MacMobilityExtended); ok {
				return nil, errors.New("a MAC mobility community would change the daemon's routes")
			}
		}
	}
	return octets, nil
}

// cleanKey reads which route a path is.
func cleanKey(p *api.Path) (key evpn.RouteKey, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("NLRI cannot be read: %v", e)
		}
	}()
	if p == nil || p.Family == nil || p.Family.Afi != familyEVPN.Afi || p.Family.Safi != familyEVPN.Safi {
		return key, errors.New("only the family evpn is served")
	}
	nlri, err := apiutil.GetNativeNlri(p)
	if err != nil {
		return key, err
	}
	octets, err := nlri.Serialize()
	if err != nil {
		return key, err
	}
	r, _, err := evpn.DecodeNLRI(octets)
	if err == nil && r.Type == evpn.MACIPAdvertisement && r.MAC == (evpn.MAC{}) {
		err = errors.New("no MAC address, or one that cannot be read")
	}
	return r.RouteKey, err
}

func readOnly(method string) error {
	return status.Errorf(codes.PermissionDenied, "%s refused: this API is read-only", method)
}

func refused(method string, why error) error {
	return status.Errorf(codes.PermissionDenied, "%s refused: %v", method, why)
}

// recovered turns a panic in GoBGP's conversions into an error.
func recovered(method string, err *error) {
	if e := recover(); e != nil {
		*err = status.Errorf(codes.InvalidArgument, "%s: %v", method, e)
	}
}
