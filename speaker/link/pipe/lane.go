package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	room = 256 << 10 // octets that wait at most in one direction
	keep = 32 << 10  // of memory that stays when nothing waits
)

// lane is one direction of a stream.
type lane struct {
	mu      sync.Mutex // of what follows
	changed sync.Cond  // for all who wait
	octets  []byte     // that wait, at the end of memory
	memory  []byte
	ended   bool // nobody writes any more
	deaf    bool // nobody reads any more
	reading deadline
	writing deadline
}

func newLane() *lane {
	l := new(lane)
	l.changed.L = &l.mu
	return l
}

func (l *lane) read(b []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.deaf:
			return 0, net.ErrClosed
		case l.reading.over():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(l.octets) > 0:
			n = copy(b, l.octets)
			if l.octets = l.octets[n:]; len(l.octets) == 0 && cap(l.memory) > keep {
				l.memory = nil
			}
			l.changed.Broadcast()
			return n, nil
		case l.ended:
			return 0, io.EOF
		}
		l.changed.Wait()
	}
}

func (l *lane) write(b []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.ended:
			return n, net.ErrClosed
		case l.deaf:
			return n, io.ErrClosedPipe
		case l.writing.over():
			return n, os.ErrDeadlineExceeded
		}
		n += l.take(b[n:])
		if n == len(b) {
			return n, nil
		}
		l.changed.Wait()
	}
}

func (l *lane) writeNow(b []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.deaf {
		return 0
	}
	return l.take(b)
}

// take takes what there is room for.
func (l *lane) take(b []byte) int {
	n := min(len(b), room-len(l.octets))
	if n == 0 {
		return 0
	}
	if used := len(l.memory) - len(l.octets); used > 0 && (len(l.octets) == 0 || len(l.memory)+n > cap(l.memory)) {
		copy(l.memory, l.octets) // to the beginning
		l.memory = l.memory[:len(l.octets)]
	}
	waiting := len(l.octets)
	l.memory = append(l.memory, b[:n]...)
	l.octets = l.memory[len(l.memory)-waiting-n:]
	l.changed.Broadcast()
	return n
}

// close ends one side of it.
func (l *lane) close(reader bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if reader {
		l.deaf, l.octets, l.memory = true, nil, nil
		l.reading.stop()
	} else {
		l.ended = true
		l.writing.stop()
	}
	l.changed.Broadcast()
}

// limit sets a deadline, unless that side is closed.
func (l *lane) limit(d *deadline, at time.Time, closed func() bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if closed() {
		return net.ErrClosed
	}
	d.set(at, l.wake)
	return nil
}

func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
}

// deadline ends waiting.
type deadline struct {
	at    time.Time // zero: never
	timer *time.Timer
}

func (d *deadline) over() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// set has wake called at the time, by somebody else.
func (d *deadline) set(at time.Time, wake func()) {
	d.at = at
	switch {
	case at.IsZero():
		d.stop()
	case d.timer == nil:
		d.timer = time.AfterFunc(time.Until(at), wake)
	default:
		d.timer.Reset(time.Until(at))
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
