package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/tns-project/tns/speaker/guard/mrt"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// Record is whether messages of outer sessions are written down.
type Record struct {
	Directory string // a file a peer, such as 192.0.2.1.mrt; empty: nothing is recorded
	Bound     int64  // octets a peer, 16 MiB
}

const (
	defaultBound = 16 << 20
	minBound     = 64 << 10
)

// recorder has the files, one a peer, which stay open.
type recorder struct {
	config Record
	mu     sync.Mutex
	files  map[netip.Addr]*mrt.File
}

func newRecorder(c Record) (*recorder, error) {
	if c.Bound == 0 {
		c.Bound = defaultBound
	}
	if c.Bound < minBound {
		return nil, fmt.Errorf("records of sessions: bound of %d octets, must be at least %d", c.Bound, minBound)
	}
	return &recorder{config: c, files: make(map[netip.Addr]*mrt.File)}, nil
}

// file is the peer's; nil if nothing is recorded.
func (r *recorder) file(peer netip.Addr) (*mrt.File, error) {
	if r.config.Directory == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.files[peer]; ok {
		return f, nil
	}
	f, err := mrt.Open(filepath.Join(r.config.Directory, peer.String()+".mrt"), r.config.Bound)
	if err == nil {
		r.files[peer] = f
	}
	return f, err
}

func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// recorded counts the messages of an outer session and writes them down. The first error ends the peer's record.
func (p *peer) recorded(m *machine, messages []byte, sent bool) {
	if m.side.name != outerSide {
		return
	}
	for len(messages) > 0 {
		length, _, err := wire.CheckHeader(messages)
		if err != nil {
			return
		}
		if sent {
			p.count.MessagesOut++
		} else {
			p.count.MessagesIn++
		}
		p.writeDown(m, messages[:length], sent)
		messages = messages[length:]
	}
}

func (p *peer) writeDown(m *machine, msg []byte, sent bool) {
	if p.unrecorded || m.conn == nil {
		return
	}
	f, err := p.guard.recorder.file(p.address)
	if f == nil && err == nil {
		return
	}
	if err == nil {
		r := mrt.Record{
			At: time.Now(), PeerAS: p.config.AS, LocalAS: p.guard.config.AS, Peer: p.address, Local: addressOf(m.conn.LocalAddr()), Sent: sent, Message: msg,
		}
		if m.received != nil {
			r.PeerAS = m.received.AS
		}
		err = f.Write(r)
	}
	if err != nil {
		p.unrecorded = true
		p.log.WithError(err).Error("the session is not recorded any more")
	}
}
