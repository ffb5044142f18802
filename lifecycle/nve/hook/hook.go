package hook

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
)

// Hook is one receiver of notices.
type Hook struct {
	URL      string
	Name     string // the URL as people may see it; it names the queue on disk
	Events   []nve.Notable
	Refusals bool   // also of requests that were refused
	Secret   []byte // of the signature
	Client   *http.Client
	Retries  int           // after the first attempt
	Backoff  time.Duration // before the first retry; doubled for each, up to a minute, or itself if it is longer
	Queue    int           // notices that wait, at least 1
}

// Spool keeps what waits across restarts. Its methods do not block.
type Spool interface {
	PutNotice(hook string, number uint64, body []byte)
	DropNotice(hook string, number uint64)
	// Notices is what was put and not dropped, by hook and number.
	Notices() (map[string]map[uint64][]byte, error)
}

// Stats is what a hook has counted since the start, and what waits now.
type Stats struct {
	Sent    uint64 // answered 2xx
	Retried uint64 // attempts that failed and were not the last
	Failed  uint64 // given up
	Dropped uint64 // pushed out of a full queue
	Waiting int    // those under way included
}

// maxBackoff is the longest pause between attempts, unless the first is longer.
const maxBackoff = time.Minute

// parallel is how many notices of one hook are under way at a time, each of another VM.
const parallel = 8

// Poster sends notices to all hooks. Tell and Stats are safe for concurrent use; Run is called once.
type Poster struct {
	edge   evpn.RouterID
	queues []*queue
}

var _ nve.Middleboxes = (*Poster)(nil)

// New makes a poster, with what the spool kept; what it has of hooks that are none any more is dropped. A nil spool keeps nothing.
func New(edge evpn.RouterID, hooks []Hook, spool Spool, log *logrus.Entry) (*Poster, error) {
	p := &Poster{edge: edge}
	kept := map[string]map[uint64][]byte{}
	if spool != nil {
		var err error
		if kept, err = spool.Notices(); err != nil {
			return nil, err
		}
	}
	for _, h := range hooks {
		q := newQueue(h, spool, log.WithField("hook", h.Name))
		q.recall(kept[h.Name])
		delete(kept, h.Name)
		p.queues = append(p.queues, q)
	}
	for name, all := range kept {
		for number := range all {
			spool.DropNotice(name, number)
		}
	}
	return p, nil
}

// Tell queues the notice for every hook that wants it.
func (p *Poster) Tell(n nve.Notice) {
	var b body
	var text []byte
	for _, q := range p.queues {
		if !slices.Contains(q.hook.Events, n.Event) || n.Outcome == nve.Refused && !q.hook.Refusals {
			continue
		}
		if text == nil {
			b = bodyOf(p.edge, &n)
			text = b.encode()
		}
		q.add(b, text)
	}
}

// Run sends until ctx ends.
func (p *Poster) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, q := range p.queues {
		all.Go(func() { q.run(ctx) })
	}
	all.Wait()
	<-ctx.Done() // without hooks there is nothing to wait for, and a part that ends takes its daemon with it
	return nil
}

// Stats is the figures of each hook, by its name.
func (p *Poster) Stats() map[string]Stats {
	all := make(map[string]Stats, len(p.queues))
	for _, q := range p.queues {
		all[q.hook.Name] = q.figures()
	}
	return all
}
