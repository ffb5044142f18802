package control

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// Backend is what a daemon answers with. It embeds [Unsupported] for the methods that do not apply to it.
type Backend = tnsv1.ControlServer

// window is how many octets of requests may be on their way. It is fixed: a window that gRPC fits to the way costs a ping and its answer, four wake-ups,
// for each message, and both ends are on one machine.
const window = 1 << 20

// Server serves a backend on a socket.
type Server struct {
	listener net.Listener
	grpc     *grpc.Server
}

// NewServer makes a server on a listener, which it closes when Run returns.
func NewServer(l net.Listener, b Backend) *Server {
	s := &Server{
		listener: l,
		grpc: grpc.NewServer(
			grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window),
			grpc.ChainUnaryInterceptor(unaryStatus),
			grpc.ChainStreamInterceptor(streamStatus),
		),
	}
	tnsv1.RegisterControlServer(s.grpc, b)
	return s
}

// Run serves until ctx ends; calls that stand are cut off then.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.grpc.Serve(s.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve the control socket %s: %w", s.listener.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.grpc.Stop()
		return nil
	})
	return group.Wait()
}

func unaryStatus(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	return answer, toStatus(err)
}

func streamStatus(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return toStatus(next(srv, s))
}
