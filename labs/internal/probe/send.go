package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Spacing of the frames that Send sends.
const Spacing = time.Millisecond

// mostAtOnce is how many frames are sent at once after a pause of the machine: the kernel queues a thousand for a veth (net.core.netdev_max_backlog), and what it has
// no room for is not the lost frame that is looked for.
const mostAtOnce = 300

// Sender sends a flow until it is stopped.
type Sender struct {
	fd      int
	flow    Flow
	spacing time.Duration
	stop    context.CancelFunc
	done    chan struct{}
	sent    []time.Time // by number
	failed  error
}

// Send starts a flow out of an interface, a frame a millisecond.
func Send(n *netns.Namespace, device string, f Flow) (*Sender, error) {
	return SendEvery(n, device, f, Spacing)
}

// SendEvery starts a flow with another spacing. Below a millisecond, several frames are sent at once.
func SendEvery(n *netns.Namespace, device string, f Flow, spacing time.Duration) (*Sender, error) {
	fd, err := openSocket(n, device, 0)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Sender{fd: fd, flow: f, spacing: spacing, stop: stop, done: make(chan struct{})}
	go s.run(ctx)
	return s, nil
}

// run keeps to the schedule: after a pause of the machine it sends what is due at once, unless that is too much; the schedule is put off then.
func (s *Sender) run(ctx context.Context) {
	defer close(s.done)
	defer unix.Close(s.fd)
	tick := time.NewTicker(max(s.spacing, time.Millisecond))
	defer tick.Stop()
	for start := time.Now(); ; {
		due := int(time.Since(start) / s.spacing)
		if much := due - len(s.sent) - mostAtOnce; much > 0 {
			start = start.Add(time.Duration(much) * s.spacing)
			due -= much
		}
		for len(s.sent) <= due {
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
