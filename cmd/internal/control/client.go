package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// Client is a connection to a daemon. Its methods return errors of this package's kinds. It is safe for concurrent use.
type Client struct {
	tnsv1.ControlClient
	// Address is the socket's, as unix:///path.
	Address string

	conn *grpc.ClientConn
}

// Dial connects to a daemon's socket. It is an error of kind ErrNoDaemon if nobody listens.
func Dial(ctx context.Context, address string) (*Client, error) {
	file, err := path(address)
	if err != nil {
		return nil, err
	}
	address = "unix://" + file
	probe, err := new(net.Dialer).DialContext(ctx, "unix", file)
	if err != nil {
		return nil, Errorf(ErrNoDaemon, "connect to %s: %v: is the daemon running?", address, cause(err))
	}
	probe.Close()

	c := &Client{Address: address}
	c.conn, err = grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)), // a list is one message
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithUnaryInterceptor(c.unary),
		grpc.WithStreamInterceptor(c.stream),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c.ControlClient = tnsv1.NewControlClient(c.conn)
	return c, nil
}

// Close ends the connection and the calls that stand.
func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) unary(ctx context.Context, method string, req, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return fromStatus(c.Address, call(ctx, method, req, answer, conn, opts...))
}

func (c *Client) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, fromStatus(c.Address, err)
	}
	return clientStream{s, c.Address}, nil
}

// clientStream turns the errors of a stream into ours; io.EOF, its regular end, stays.
type clientStream struct {
	grpc.ClientStream
	address string
}

func (s clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == io.EOF {
		return err
	}
	return fromStatus(s.address, err)
}

// cause is the innermost reason of a failed system call, without the names that are said already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
