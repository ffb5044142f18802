package guard

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tns-project/tns/speaker/internal/nonblock"
	"github.com/tns-project/tns/speaker/link"
)

// linkBuffer is the octets that wait at most for an engine that does not read; beyond them peers wait with what they have for it.
const linkBuffer = 256 << 10

// linkWriter writes to the engine for all peers. A message at rest is written by who has it; what the socket does not take at once a goroutine writes.
type linkWriter struct {
	conn net.Conn
	now  nonblock.Writer // to it
	kick chan struct{}   // capacity 1: there is something for the goroutine
	last atomic.Int64    // when something was sent, in nanoseconds of Unix time

	mu       sync.Mutex // of what follows
	waiting  []func()   // who waits for room; they do not wait, and take no lock
	pending  []byte     // what the goroutine has not taken yet
	flight   int        // octets that it is writing
	reserved int        // octets that are promised to peers
	busy     bool       // it has something to write
	closed   bool
}

func newLinkWriter(c net.Conn) *linkWriter {
	return &linkWriter{conn: c, now: nonblock.Of(c), kick: make(chan struct{}, 1)}
}

// reserve promises room for maxChunk octets, which send is to use. If there is none, notify is called when there may be.
func (w *linkWriter) reserve(notify func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if w.flight+len(w.pending)+w.reserved+maxChunk > linkBuffer {
		w.waiting = append(w.waiting, notify)
		return false
	}
	w.reserved += maxChunk
	return true
}

// send writes whole messages for which there is room.
func (w *linkWriter) send(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reserved -= maxChunk
	w.write(b)
	if !w.busy { // else they are told when there is room
		w.tellWaiting()
	}
}

func (w *linkWriter) tellWaiting() {
	for _, notify := range w.waiting {
		notify()
	}
	clear(w.waiting)
	w.waiting = w.waiting[:0]
}

// alive says that we are, unless something was sent for AliveTime or waits.
func (w *linkWriter) alive(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.busy && !w.closed && now.UnixNano()-w.last.Load() >= int64(link.AliveTime) {
		w.write((&link.Message{Kind: link.Alive}).Append(nil))
	}
}

// quiet is how long nothing has been sent; 0 while something waits.
func (w *linkWriter) quiet(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return 0
	}
	return time.Duration(now.UnixNano() - w.last.Load())
}

func (w *linkWriter) write(b []byte) {
	if w.closed || len(b) == 0 {
		return
	}
	w.last.Store(time.Now().UnixNano())
	if !w.busy {
		b = b[w.now(b):]
	}
	if len(b) == 0 {
		return
	}
	w.pending = append(w.pending, b...)
	if !w.busy {
		w.busy = true
		w.kick <- struct{}{}
	}
}

// run writes what waits, until close or an error, which the reader of the link finds, too.
func (w *linkWriter) run() {
	var spare []byte
	for range w.kick {
		for {
			w.mu.Lock()
			b := w.pending
			w.pending, w.flight = spare[:0], len(b)
			if len(b) == 0 || w.closed {
				w.busy = false
				w.mu.Unlock()
				spare = nil // pending has that memory now
				break
			}
			w.mu.Unlock()
			_, err := w.conn.Write(b)
			w.mu.Lock()
			w.flight = 0
			w.last.Store(time.Now().UnixNano())
			w.tellWaiting()
			w.mu.Unlock()
			if err != nil {
				w.close()
			}
			spare = b
		}
	}
}

// close ends it and the connection.
func (w *linkWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.kick)
		w.conn.Close()
	}
}
