package control

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of errors that a caller decides by.
var (
	// ErrNoDaemon: nobody listens on the socket, or the socket may not be opened.
	ErrNoDaemon = errors.New("no daemon")
	// ErrNoAnswer: the daemon did not answer in time, or went away.
	ErrNoAnswer = errors.New("no answer")
	// ErrInvalid: the question is malformed; asking again cannot help.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: what was asked about is not there.
	ErrNotFound = errors.New("not found")
	// ErrRefused: the question is well formed, but cannot be granted as things are.
	ErrRefused = errors.New("refused")
	// ErrUnsupported: this daemon does not serve the method.
	ErrUnsupported = errors.New("unsupported")
	// ErrFailed: anything else.
	ErrFailed = errors.New("failed")
)

// Error is an error of one of the kinds above. [errors.Is] with the kind holds.
type Error struct {
	Kind error
	Text string
}

// Errorf makes an error of a kind.
func Errorf(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return e.Kind }

// kinds pairs our kinds with gRPC's codes; the first pair of a kind or code counts.
var kinds = []struct {
	kind error
	code codes.Code
}{
	{ErrInvalid, codes.InvalidArgument},
	{ErrNotFound, codes.NotFound},
	{ErrRefused, codes.FailedPrecondition},
	{ErrUnsupported, codes.Unimplemented},
	{ErrNoAnswer, codes.DeadlineExceeded},
	{ErrNoAnswer, codes.Canceled},
	{ErrNoDaemon, codes.Unavailable},
	{ErrFailed, codes.Unknown},
}

// toStatus is an error of a backend as it goes over the wire.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return status.Error(k.code, err.Error())
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unknown, err.Error())
}

// fromStatus is an error of a call as our callers see it.
func fromStatus(address string, err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	kind := ErrFailed
	for _, k := range kinds {
		if s.Code() == k.code {
			kind = k.kind
			break
		}
	}
	switch kind {
	case ErrNoDaemon:
		return Errorf(kind, "connect to %s: %s", address, s.Message())
	case ErrNoAnswer:
		return Errorf(kind, "%s does not answer: %s", address, s.Message())
	}
	return &Error{Kind: kind, Text: s.Message()}
}
