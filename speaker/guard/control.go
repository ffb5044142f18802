package guard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The control socket joins the guard's process with the engine's: a question a line, an answer a line, in JSON. It is a unix socket, which the file system
// protects. Questions:
//
//	{"ask":"peers"}     → {"peers":[…Status…],"totals":{…}}
//	{"ask":"call","call":{"addresses":[…],"only":true}} → {"refused":{"192.0.2.9":"why"}}: whom to dial (Guard.Call)
//	{"ask":"link","version":2} → {}, and then the connection is the engine's link (package link)
//	{"ask":"notices"}   → {"notice":{…}} again and again, until either side closes. One client at a time hears them.

type question struct {
	Ask  string   `json:"ask"`
	Call CallList `json:"call,omitzero"`

	Version int `json:"version,omitempty"` // of the link
}

type answer struct {
	Peers  []Status `json:"peers,omitempty"`
	Totals *Totals  `json:"totals,omitempty"`
	Notice *Notice  `json:"notice,omitempty"`
	Error  string   `json:"error,omitempty"`

	Refused map[netip.Addr]string `json:"refused,omitempty"`
}

const (
	asking  = "peers"
	hearing = "notices"
	calling = "call"
	linking = "link"

	answerTime = 5 * time.Second
)

// Serve answers on a listener, which it closes, until ctx ends, which is no error.
func (g *Guard) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var clients sync.WaitGroup
	defer clients.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			cancel()
			return fmt.Errorf("serve the guard's control socket: %w", err)
		}
		clients.Go(func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			g.answerAll(ctx, c)
		})
	}
}

// answerAll answers one client until it goes.
func (g *Guard) answerAll(ctx context.Context, c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			q.Ask = err.Error()
		}
		var a answer
		switch q.Ask {
		case asking:
			totals := g.Totals()
			a.Peers, a.Totals = g.Peers(ctx), &totals
		case calling:
			select {
			case <-g.running:
			case <-ctx.Done():
				return
			}
			a.Refused = g.Call(q.Call.Addresses, q.Call.Only)
		case linking:
			g.answerLink(ctx, c, q.Version)
			return
		case hearing:
			g.pass(ctx, c)
			return
		default:
			a.Error = fmt.Sprintf("cannot be asked %q", q.Ask)
		}
		if tellClient(c, a) != nil {
			return
		}
	}
}

// pass tells a client what happens.
func (g *Guard) pass(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var gone sync.WaitGroup
	defer gone.Wait()
	defer c.Close()
	gone.Go(func() {
		defer cancel()
		var b [1]byte
		_, _ = c.Read(b[:]) // the client says no more, so this is its end
	})
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-g.notices:
			if tellClient(c, answer{Notice: &n}) != nil {
				return
			}
		}
	}
}

func tellClient(c net.Conn, a answer) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}

// Client asks a guard in another process.
type Client struct {
	Path string // of the control socket
}

// Peers is Guard.Peers and Guard.Totals.
func (c Client) Peers(ctx context.Context) ([]Status, Totals, error) {
	var a answer
	err := c.ask(ctx, asking, func(got answer) bool { a = got; return false })
	if err == nil && a.Totals == nil {
		err = errors.New("ask the guard for its peers: it answers something else")
	}
	if err != nil {
		return nil, Totals{}, err
	}
	return a.Peers, *a.Totals, nil
}

// Notices calls hear with each notice until it returns false, ctx ends or the guard goes; only the last is an error.
func (c Client) Notices(ctx context.Context, hear func(Notice) bool) error {
	return c.ask(ctx, hearing, func(a answer) bool { return a.Notice == nil || hear(*a.Notice) })
}

// ask calls more with each answer until it returns false.
func (c Client) ask(ctx context.Context, what string, more func(answer) bool) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.say(question{Ask: what}); err != nil {
		return err
	}
	switch err := conn.hear(more); {
	case err != nil && ctx.Err() != nil && what == hearing:
		return nil
	case err != nil:
		return fmt.Errorf("ask the guard for %s: %w", what, err)
	}
	return nil
}

// dialogue is a client's connection.
type dialogue struct{ net.Conn }

func (c Client) dial(ctx context.Context) (dialogue, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return dialogue{}, fmt.Errorf("ask the guard: %w", err)
	}
	return dialogue{conn}, nil
}

func (d dialogue) say(q question) error {
	b, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("ask the guard: %w", err)
	}
	if _, err := d.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("ask the guard: %w", err)
	}
	return nil
}

// hear calls more with each answer until it returns false, which alone is no error.
func (d dialogue) hear(more func(answer) bool) error {
	lines := json.NewDecoder(d)
	for {
		var a answer
		err := lines.Decode(&a)
		switch {
		case err != nil:
			return err
		case a.Error != "":
			return errors.New(a.Error)
		case !more(a):
			return nil
		}
	}
}
