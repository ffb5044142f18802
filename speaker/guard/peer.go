package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// peer is one neighbour. Its loop owns everything here; others post happenings.
type peer struct {
	guard   *Guard
	config  Peer
	address netip.Addr
	inside  netip.Addr // its inner address
	log     *logrus.Entry

	born  time.Time
	ctx   context.Context
	stop  context.CancelFunc
	inbox chan happening
	woken chan struct{}  // capacity 1: there is mail, an engine has come or gone, or the link has room
	work  sync.WaitGroup // what the loop started

	dialler  *machine // nil for one that only we wait for
	accepted []*machine
	session  *machine  // the outer one that is established, if any
	inner    *machine  // the session with the engine
	routes   *exchange // of the session

	engineAway alarm // ends the session when no engine comes
	mirroring  alarm // has GoBGP told
	showing    bool  // GoBGP is to be told of this session
	behind     int   // what it is to be told at once, as it asked for: so many of the first that are due
	patience   alarm // ends waiting for the End-of-RIB of its memberships
	forget     alarm // ends a dynamic peer that does not come back
	gathering  alarm // ends the time in which routes wait for more
	gathered   bool  // it is over
	refusing   bool  // no session without an engine: none was there for too long
	engines    int   // inner sessions of this session so far

	link         *engineLink   // that is told of the peer
	linkSince    time.Time     // that the link has the session
	linkBuffer   []byte        // memory that is used again
	scratch      []byte        // and this, too
	linkControl  []byte        // messages that wait for it and go before routes
	subscription *subscriber   // of the session
	memberships  []wire.Change // that the distributor has not heard of
	asked        bool          // and their End-of-RIB
	mail         []wire.Change // memory that is used again
	read         time.Time     // when the messages in hand were

	limiter    *rate.Limiter // of all its connections together; nil: no limit
	failure    string        // why there is no session, or was none last
	told       bool          // that, in the log
	count      Counters
	called     atomic.Bool // a dynamic one that is dialled, too; changes under the guard's lock
	lonely     atomic.Bool // a dynamic one without a connection
	refused    refusals
	unrecorded bool   // writing the record failed
	buffer     []byte // to write from, where nothing holds it
}

// happening is anything that comes to a peer's loop.
type happening struct {
	do       func() // in the loop
	machine  *machine
	chunk    chunk // of the machine's connection
	dialled  bool
	dial     context.Context // of the attempt
	socket   net.Conn        // dialled, or accepted
	accepted bool
	err      error
}

const (
	outerSide = "peer"
	innerSide = "GoBGP"

	highWater    = 4096 // routes due to the engine beyond which the peer is not read
	maxAccepted  = 3    // connections of one peer at a time
	forgetAfter  = 5 * time.Minute
	innerBackoff = 20 * time.Millisecond
	innerMost    = 160 * time.Millisecond
	innerDial    = 200 * time.Millisecond // an engine that listens and has no key yet lets the first SYN vanish, the next is due after 1 s
	innerOpen    = time.Second            // doubled each time: GoBGP forgets a connection that comes before it is done with the neighbour's last one
	innerHold    = 90 * time.Second       // where the peer wants none
)

func newPeer(g *Guard, ctx context.Context, config Peer, address, inside netip.Addr) *peer {
	p := &peer{
		guard: g, config: config, address: address, inside: inside, born: time.Now(), ctx: ctx, inbox: make(chan happening), woken: make(chan struct{}, 1),
		log: g.config.Log.WithField("peer", address),
	}
	if r := config.MessageRate; r > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(r), r)
	}
	if !config.Dynamic && !config.Passive {
		p.dialler = &machine{side: p.outer(), since: p.now()}
	}
	p.inner = &machine{side: p.toGoBGP(), since: p.now()}
	return p
}

func (p *peer) now() time.Time { return time.Now() }

// post hands something to the loop; false when the loop has ended.
func (p *peer) post(h happening) bool {
	select {
	case p.inbox <- h:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// run is the loop. It ends with ctx, and closes the sessions as the guard says. Should it fail in a way that nobody thought of, it waits for nothing: the
// guard ends with it, and another one comes, where else the peer would be deaf for ever.
func (p *peer) run() {
	p.begin()
	p.flush()
	for {
		select {
		case h := <-p.inbox:
			p.handle(h)
			p.flush()
		case <-p.woken:
			p.flush()
		case <-p.ctx.Done():
			p.end()
			p.work.Wait()
			return
		}
	}
}

// notify has the loop go round. It does not wait.
func (p *peer) notify() {
	select {
	case p.woken <- struct{}{}:
	default: // it will
	}
}

// begin starts dialling.
func (p *peer) begin() {
	if p.dialler != nil && p.dialler.state == Idle {
		p.fire(p.dialler, Start, cause{})
	}
}

// end closes everything: with a NOTIFICATION if the guard is closed, without if it only stops, so that graceful restart holds.
func (p *peer) end() {
	var c cause
	if p.guard.closing.Load() {
		c.notice = wire.Notification{Code: wire.Cease, Subcode: wire.CeaseAdminShutdown}
	}
	for _, m := range p.machines() {
		if c.notice.Code == 0 {
			m.drop()
			continue
		}
		p.fire(m, Stop, c)
	}
	p.unsubscribe()
	p.session, p.routes = nil, nil // so the engine is not lost, but no longer needed
	p.fire(p.inner, Stop, cause{notice: wire.ShutdownNotification(wire.CeaseAdminShutdown, "the guard ends")})
	for _, a := range []*alarm{&p.engineAway, &p.patience, &p.forget, &p.gathering, &p.mirroring} {
		a.stop()
	}
}

// machines is the outer ones.
func (p *peer) machines() []*machine {
	list := make([]*machine, 0, 1+len(p.accepted))
	if p.dialler != nil {
		list = append(list, p.dialler)
	}
	return append(list, p.accepted...)
}

func (p *peer) handle(h happening) {
	switch m := h.machine; {
	case h.do != nil:
		h.do()
	case h.accepted:
		p.accept(h.socket)
	case h.dialled:
		switch {
		case h.dial.Err() != nil || m.state != Connect:
			if h.socket != nil {
				h.socket.Close()
			}
		case h.err != nil:
			p.fire(m, TCPFails, cause{err: h.err})
		default:
			p.connected(m, h.socket)
		}
	case h.chunk.from == m.conn && m.conn != nil:
		p.chunk(m, h.chunk)
	}
}

// updatesIn is how many of the messages are about routes.
func updatesIn(messages [][]byte) (n int) {
	for _, msg := range messages {
		if t := wire.TypeOf(msg); t == wire.TypeUpdate || t == wire.TypeRouteRefresh {
			n++
		}
	}
	return n
}

// chunk takes what a connection said.
func (p *peer) chunk(m *machine, c chunk) {
	if c.err != nil {
		if bad, ok := errors.AsType[*wire.Error](c.err); ok {
			p.fire(m, HeaderBad, cause{notice: bad.Notification(), err: bad})
			return
		}
		if errors.Is(c.err, io.EOF) {
			c.err = errors.New("the other side closed the connection")
		}
		p.fire(m, TCPFails, cause{err: c.err})
		return
	}
	if c.drained {
		m.sendHold.stop()
		return
	}
	c.from.waiting = true
	p.read = c.at
	p.guard.heard(updatesIn(c.messages))
	for _, msg := range c.messages {
		if m.conn != c.from {
			return // a message before ended it
		}
		p.recorded(m, msg, false)
		p.receive(m, msg)
	}
}
