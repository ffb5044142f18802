package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Spacing of the frames.
const Spacing = time.Millisecond

// Sender sends a flow until it is stopped.
type Sender struct {
	fd     int
	flow   Flow
	stop   context.CancelFunc
	done   chan struct{}
	sent   []time.Time // by number
	failed error
}

// Send starts a flow out of an interface.
func Send(n *netns.Namespace, device string, f Flow) (*Sender, error) {
	fd, err := openSocket(n, device, 0)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Sender{fd: fd, flow: f, stop: stop, done: make(chan struct{})}
	go s.run(ctx)
	return s, nil
}

// run keeps to the schedule: after a pause of the machine it sends what is due at once.
func (s *Sender) run(ctx context.Context) {
	defer close(s.done)
	defer unix.Close(s.fd)
	tick := time.NewTicker(Spacing)
	defer tick.Stop()
	for start := time.Now(); ; {
		for due := int(time.Since(start) / Spacing); len(s.sent) <= due; {
			s.sent = append(s.sent, time.Now())
			_, err := unix.Write(s.fd, s.flow.frame(uint32(len(s.sent)-1)))
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				s.failed = fmt.Errorf("send probe %d: %w", len(s.sent)-1, err)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Stop ends the flow and returns when each of its frames was sent.
func (s *Sender) Stop() ([]time.Time, error) {
	s.stop()
	<-s.done
	return s.sent, s.failed
}
