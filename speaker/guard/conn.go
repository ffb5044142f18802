package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/internal/nonblock"
)

// conn is a TCP connection with a reader and, while something does not go out at once, a writer. Its owner is one peer's loop; the reader hands it
// whole messages and reads on only when it is told to, so a loop that does not tell it closes the peer's TCP window.
//
//	socket ──> reader ──chunk──> loop ──next()──> reader
//	           (limiter)          │
//	socket <── send(): at once, as far as the socket takes it; the rest <── writer ──written──> loop
type conn struct {
	net.Conn
	now     nonblock.Writer // to it
	post    func(chunk)     // to the loop; returns when it was taken, or the loop is gone
	resume  chan struct{}   // capacity 1: read on
	limiter *rate.Limiter   // nil: no limit
	cancel  context.CancelFunc

	waiting bool        // of the loop: the reader waits for next
	slowed  atomic.Bool // the reader waits for the limiter

	mu      sync.Mutex // of what follows
	busy    bool       // the writer has something
	written chan []byte
	closed  bool
}

// chunk is what a connection tells its loop: whole messages, which stay valid until next; that all is written; or why it ended.
type chunk struct {
	from     *conn
	messages [][]byte
	at       time.Time // when the last of them was read
	drained  bool
	err      error // a *wire.Error where the peer's octets are no message
}

// maxChunk is the octets that are read, or written, in one go.
const maxChunk = 64 << 10

// sendBuffer is what may wait in the kernel, where it is not merged any more.
const sendBuffer = 128 << 10

// newConn starts reader and writer; they have ended when work says so, after close.
func newConn(c net.Conn, limiter *rate.Limiter, work *sync.WaitGroup, post func(chunk)) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	v := &conn{Conn: c, now: nonblock.Of(c), post: post, resume: make(chan struct{}, 1), limiter: limiter, cancel: cancel, written: make(chan []byte, 1)}
	if s, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		_ = s.SetWriteBuffer(sendBuffer) // a wish; the kernel's own bound holds else
	}
	work.Go(func() {
		v.read(ctx)
		<-ctx.Done() // closed by the loop, which knows of the error if there was one
		v.end()
	})
	work.Go(func() { v.write(ctx) })
	return v
}

// next lets the reader go on.
func (c *conn) next() {
	if c.waiting {
		c.waiting = false
		c.resume <- struct{}{}
	}
}

// idle reports whether send may be called.
func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.busy
}

// send writes b. What the socket does not take at once the writer writes, and tells the loop with drained; kept says that b is the writer's then. It is
// called only while the connection is idle.
func (c *conn) send(b []byte) (kept bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if n := c.now(b); n < len(b) {
		c.busy = true
		c.written <- b[n:]
		return true
	}
	return false
}

func (c *conn) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-c.written:
			_, err := c.Conn.Write(b)
			if err != nil {
				return // the reader finds out why, and tells it
			}
			c.mu.Lock()
			c.busy = false
			c.mu.Unlock()
			c.post(chunk{from: c, drained: true})
		}
	}
}

// read posts chunks until the connection ends.
func (c *conn) read(ctx context.Context) {
	read := nonblock.Reader(c.Conn)
	buf := make([]byte, maxChunk)
	have := 0
	var at time.Time
	for {
		messages, used, err := split(buf[:have])
		for len(messages) > 0 {
			n := c.pace(ctx, len(messages))
			if n == 0 {
				return
			}
			c.post(chunk{from: c, messages: messages[:n], at: at})
			messages = messages[n:]
			select {
			case <-c.resume:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			c.post(chunk{from: c, err: err})
			return
		}
		have = copy(buf, buf[used:have])
		if ctx.Err() != nil {
			return
		}
		n, err := read(buf[have:])
		at = time.Now()
		have += n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) && have > 0 {
				err = io.ErrUnexpectedEOF
			}
			c.post(chunk{from: c, err: err})
			return
		}
	}
}

// pace waits until the limiter lets a message through, and returns how many of n it lets through then; 0 when the connection ended meanwhile.
func (c *conn) pace(ctx context.Context, n int) int {
	if c.limiter == nil {
		return n
	}
	c.slowed.Store(true)
	defer c.slowed.Store(false)
	if err := c.limiter.Wait(ctx); err != nil {
		return 0
	}
	if more := min(n-1, int(c.limiter.Tokens())); more > 0 && c.limiter.AllowN(time.Now(), more) {
		return 1 + more
	}
	return 1
}

// split finds the whole messages at the beginning of b. What is no message is an error, which comes after the messages before it.
func split(b []byte) (messages [][]byte, used int, err error) {
	for len(b)-used >= wire.HeaderLength {
		length, _, err := wire.CheckHeader(b[used:])
		if err != nil {
			return messages, used, err
		}
		if len(b)-used < length {
			break
		}
		messages = append(messages, b[used:used+length:used+length])
		used += length
	}
	return messages, used, nil
}

// farewell is how long a closed connection is still read, so that what was sent last is not lost by a reset.
const farewell = 500 * time.Millisecond

// close ends the connection; last is sent before, if it is not empty and the socket takes it. It does not wait.
func (c *conn) close(last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && len(last) > 0 && !c.busy && c.now(last) == len(last) {
		half.CloseWrite()
		c.Conn.SetDeadline(time.Now().Add(farewell))
	} else {
		c.Conn.Close()
	}
	c.cancel()
}

// end reads until the other side has closed, too, or the farewell is over.
func (c *conn) end() {
	io.Copy(io.Discard, c.Conn)
	c.Conn.Close()
}
