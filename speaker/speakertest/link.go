package speakertest

import (
	"net/netip"
	"sync"
	"time"

	"github.com/tns-project/tns/speaker"
)

// Link is a session between two speakers. It comes up when both are open, and by Up; it goes down by Down.
type Link struct {
	a, b   *Speaker
	addrA  netip.Addr
	addrB  netip.Addr
	mu     sync.Mutex // held while events are put, so that they keep their order
	up     bool
	since  time.Time
	sentA  uint64 // updates that a sent
	sentB  uint64
	filter func(speaker.Event) bool
}

// Connect joins two speakers: to b, a has the address addrA, to a, b has addrB.
func Connect(a *Speaker, addrA netip.Addr, b *Speaker, addrB netip.Addr) *Link {
	l := &Link{a: a, b: b, addrA: addrA, addrB: addrB, since: a.Now()}
	for _, s := range []*Speaker{a, b} {
		s.mu.Lock()
		s.links = append(s.links, l)
		s.mu.Unlock()
	}
	l.Up()
	return l
}

// Filter lets only those Announced and Withdrawn events through for which pass is true, as a policy on the way would. Nil lets all through.
func (l *Link) Filter(pass func(speaker.Event) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filter = pass
}

// Up brings the session up if both speakers are open: SessionUp with a new epoch, all routes, End-of-RIB, at both ends.
func (l *Link) Up() {
	if !l.a.Opened() || !l.b.Opened() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		return
	}
	l.up, l.since = true, l.a.Now()
	l.start(l.a, l.b)
	l.start(l.b, l.a)
}

// Down loses the session: SessionDown at both ends, no withdrawal.
func (l *Link) Down(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up {
		return
	}
	l.up, l.since = false, l.a.Now()
	l.put(l.a, l.b, speaker.Event{Kind: speaker.SessionDown, Text: why})
	l.put(l.b, l.a, speaker.Event{Kind: speaker.SessionDown, Text: why})
}

// start tells receiver that the session with sender is up, and what sender has to say.
func (l *Link) start(sender, receiver *Speaker) {
	receiver.mu.Lock()
	receiver.epochs[l.addressOf(sender)]++
	receiver.mu.Unlock()
	l.put(sender, receiver, speaker.Event{Kind: speaker.SessionUp})
	for _, r := range sender.Announced() {
		l.put(sender, receiver, speaker.Event{Kind: speaker.Announced, Route: r})
	}
	l.put(sender, receiver, speaker.Event{Kind: speaker.EndOfRIB})
}

func (l *Link) send(sender *Speaker, e speaker.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		l.put(sender, l.other(sender), e)
	}
}

func (l *Link) put(sender, receiver *Speaker, e speaker.Event) {
	if e.Kind == speaker.Announced || e.Kind == speaker.Withdrawn {
		if e.Kind == speaker.Announced {
			e.Key = e.Route.RouteKey
		}
		if l.filter != nil && !l.filter(e) {
			return
		}
		if sender == l.a {
			l.sentA++
		} else {
			l.sentB++
		}
	}
	e.Peer, e.RouterID, e.AS = l.addressOf(sender), sender.id, sender.as
	receiver.mu.Lock()
	e.Epoch = receiver.epochs[e.Peer]
	receiver.mu.Unlock()
	receiver.Emit(e)
}

func (l *Link) other(s *Speaker) *Speaker {
	if s == l.a {
		return l.b
	}
	return l.a
}

func (l *Link) addressOf(s *Speaker) netip.Addr {
	if s == l.a {
		return l.addrA
	}
	return l.addrB
}

// session is the link as s lists it.
func (l *Link) session(s *Speaker) speaker.Session {
	peer := l.other(s)
	routes := len(peer.Announced())
	l.mu.Lock()
	defer l.mu.Unlock()
	v := speaker.Session{
		Peer: l.addressOf(peer), LocalAddress: l.addressOf(s), AS: peer.as,
		State: "active", Since: l.since, Received: l.sentB, Sent: l.sentA,
	}
	if s == l.b {
		v.Received, v.Sent = l.sentA, l.sentB
	}
	if l.up {
		v.State, v.RouterID, v.Routes = "established", peer.id, routes
	}
	return v
}
