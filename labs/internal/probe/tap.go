package probe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Arrival is one probe frame at a tap.
type Arrival struct {
	Number uint32
	At     time.Time
}

// Tap listens on an interface, bridge ports and VXLAN devices too. Frames that the interface sends are not arrivals.
type Tap struct {
	fd   int
	flow Flow
	stop func()
	done chan struct{}

	mu       sync.Mutex
	arrivals []Arrival
	emitted  int
	failed   error
}

// Listen starts a tap for a flow.
func Listen(n *netns.Namespace, device string, f Flow) (*Tap, error) {
	// All protocols: a socket for one of them would not see what a bridge takes from its port.
	fd, err := openSocket(n, device, unix.ETH_P_ALL)
	if err != nil {
		return nil, err
	}
	t := &Tap{fd: fd, flow: f, done: make(chan struct{})}
	stop := make(chan struct{})
	t.stop = sync.OnceFunc(func() { close(stop) })
	go t.run(stop)
	return t, nil
}

func (t *Tap) run(stop <-chan struct{}) {
	defer close(t.done)
	defer unix.Close(t.fd)
	buffer := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(t.fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) {
			select {
			case <-stop:
				t.checkDrops()
				return
			default:
			}
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, 20)
			if err == nil || errors.Is(err, unix.EINTR) {
				continue
			}
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			t.fail(err)
			return
		}
		t.take(buffer[:n], from)
	}
}

func (t *Tap) take(frame []byte, from unix.Sockaddr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
		if len(frame) >= 12 && bytes.Equal(frame[6:12], t.flow.Destination) {
			t.emitted++
		}
		return
	}
	if number, ok := t.flow.number(frame); ok {
		t.arrivals = append(t.arrivals, Arrival{number, time.Now()})
	}
}

// checkDrops makes frames that the socket had no room for an error of the tap: they are not the network's.
func (t *Tap) checkDrops() {
	statistics, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil && statistics.Drops > 0 {
		err = fmt.Errorf("the tap itself lost %d frames", statistics.Drops)
	}
	if err != nil {
		t.fail(err)
	}
}

func (t *Tap) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = fmt.Errorf("read probes: %w", err)
}

// Arrivals are the frames that have come so far.
func (t *Tap) Arrivals() []Arrival {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.arrivals)
}

// Emitted counts the frames of any kind that went out of the interface with the probed MAC as source. At the VM's own
// interface 0 proves that it is silent.
func (t *Tap) Emitted() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emitted
}

// Stop ends the tap when it has read what is there.
func (t *Tap) Stop() error {
	t.stop()
	<-t.done
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}
