package guard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guarded"
)

// observedVariable makes this program an engine as nved has it: the end of the link, and GoBGP, which tells what it hears. It holds an engineConfig.
const observedVariable = "GUARD_TEST_OBSERVED_ENGINE"

func init() {
	if c := os.Getenv(observedVariable); c != "" {
		if err := beObserved(c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// engineConfig is the part of a gobgp.Config that a GoBGP behind a guard has, and where the guard can be asked for the link.
type engineConfig struct {
	RouterID evpn.RouterID
	AS       uint32
	Address  netip.AddrPort
	Peers    []gobgp.Peer
	Control  string
}

// observedRoutes is how many routes it announces by itself.
const observedRoutes = 3

// markNumber is the number in the route distinguisher of routes of which each announcement and withdrawal is told; their label is told with it.
const markNumber = 65000

// over is told as a label when a peer's session is over; a label has 24 bits.
const over = 1 << 24

// report is one line of what the engine tells.
type report struct {
	Peer    netip.Addr
	Label   uint32 // of the marking route; 0 when it was withdrawn
	Holding int    // routes of the peer's, of types 2 and 3, with those that could not be read
	Stats   *engineStats
	Keys    []string // of these routes
}

// engineStats is what both readers of the peers' routes counted.
type engineStats struct {
	GoBGP gobgp.Stats
	Link  guarded.Stats
}

// beObserved runs until its input ends. Each line of it asks for Stats or, if it is a peer's address, for Keys.
func beObserved(config string) error {
	var c engineConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	g, err := gobgp.NewGuarded(gobgp.Config{
		RouterID: c.RouterID, AS: c.AS, ListenPort: int(c.Address.Port()), ListenAddresses: []netip.Addr{c.Address.Addr()}, Peers: c.Peers,
	})
	if err != nil {
		return err
	}
	linked := guarded.New(guarded.Config{Dial: guard.Client{Path: c.Control}.Link})
	for i := range uint32(observedRoutes) {
		if err := linked.Announce(request(i)); err != nil {
			return err
		}
	}
	linked.Whole()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = linked.Run(ctx) }()
	go func() {
		for range linked.Events() {
		}
	}()
	var out sync.Mutex
	write := json.NewEncoder(os.Stdout)
	tell := func(r report) {
		out.Lock()
		defer out.Unlock()
		_ = write.Encode(r)
	}
	h := holdings{of: make(map[netip.Addr]map[evpn.RouteKey]bool)}
	go h.observe(g.Events(), tell)
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	if err := g.Open(ctx); err != nil {
		return err
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if peer, err := netip.ParseAddr(lines.Text()); err == nil {
				tell(report{Peer: peer, Keys: h.keys(peer)})
				continue
			}
			tell(report{Stats: &engineStats{g.Stats(), linked.Stats()}})
		}
		cancel()
	}()
	return <-ran
}

// holdings are the routes of each peer.
type holdings struct {
	mu sync.Mutex
	of map[netip.Addr]map[evpn.RouteKey]bool
}

// observe follows them, and tells of those that mark.
func (h *holdings) observe(events <-chan speaker.Event, tell func(report)) {
	for e := range events {
		if e.Kind == speaker.Announced {
			e.Key = e.Route.RouteKey
		}
		h.mu.Lock()
		switch e.Kind {
		case speaker.SessionUp:
			h.of[e.Peer] = make(map[evpn.RouteKey]bool)
		case speaker.Announced, speaker.Refused:
			h.of[e.Peer][e.Key] = true
		case speaker.Withdrawn:
			delete(h.of[e.Peer], e.Key)
		}
		n := len(h.of[e.Peer])
		h.mu.Unlock()
		switch {
		case e.Kind == speaker.SessionDown:
			tell(report{Peer: e.Peer, Label: over})
		case e.Key.RD[6] == markNumber>>8 && e.Key.RD[7] == markNumber&255:
			tell(report{Peer: e.Peer, Label: uint32(e.Route.Label), Holding: n})
		}
	}
}

func (h *holdings) keys(peer netip.Addr) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := range h.of[peer] {
		list = append(list, fmt.Sprint(k))
	}
	return list
}

// observed is an engine in a process of its own.
type observed struct {
	cmd    *exec.Cmd
	input  io.Writer
	asking sync.Mutex
	ended  chan struct{} // closed when it has ended; then err is why
	err    error

	mu     sync.Mutex
	latest map[netip.Addr]report
	answer chan report
	news   chan struct{} // closed and replaced with each report
}

// startObserved starts one.
func startObserved(t testing.TB, c engineConfig) *observed {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	o := &observed{
		cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), latest: make(map[netip.Addr]report), answer: make(chan report, 1), news: make(chan struct{}),
	}
	o.cmd.Env = append(os.Environ(), observedVariable+"="+string(config))
	said := &head{}
	o.cmd.Stderr = said
	output, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if o.input, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		o.read(output)
		err := o.cmd.Wait()
		o.err = fmt.Errorf("the engine ended: %v: %s", err, said)
		close(o.ended)
	}()
	return o
}

func (o *observed) read(from io.Reader) {
	for lines := json.NewDecoder(from); ; {
		var r report
		if err := lines.Decode(&r); err != nil {
			return
		}
		if r.Stats != nil || r.Keys != nil {
			select {
			case o.answer <- r:
			default: // nobody waits any more
			}
			continue
		}
		o.mu.Lock()
		o.latest[r.Peer] = r
		close(o.news)
		o.news = make(chan struct{})
		o.mu.Unlock()
	}
}

// await waits until the newest mark of a peer is that one.
func (o *observed) await(ctx context.Context, peer netip.Addr, label uint32) (report, error) {
	for {
		o.mu.Lock()
		r, ok := o.latest[peer]
		news := o.news
		o.mu.Unlock()
		if ok && r.Label == label {
			return r, nil
		}
		select {
		case <-news:
		case <-o.ended:
			return r, o.err
		case <-ctx.Done():
			return r, fmt.Errorf("the engine does not hear mark %d of %v, the last one is %d: %w", label, peer, r.Label, ctx.Err())
		}
	}
}

// ask is the answer to a line that is wanted; others are to who did not wait for them.
func (o *observed) ask(ctx context.Context, line string, wanted func(report) bool) (r report, err error) {
	o.asking.Lock()
	defer o.asking.Unlock()
	if _, err := fmt.Fprintln(o.input, line); err != nil {
		return r, err
	}
	for {
		select {
		case r = <-o.answer:
			if wanted(r) {
				return r, nil
			}
		case <-o.ended:
			return r, o.err
		case <-ctx.Done():
			return r, fmt.Errorf("ask the engine: %w", ctx.Err())
		}
	}
}

// askStats asks for its counters.
func (o *observed) askStats(ctx context.Context) (engineStats, error) {
	r, err := o.ask(ctx, "", func(r report) bool { return r.Stats != nil })
	if err != nil {
		return engineStats{}, err
	}
	return *r.Stats, nil
}

// askKeys asks for the routes that it has of a peer.
func (o *observed) askKeys(ctx context.Context, peer netip.Addr) ([]string, error) {
	r, err := o.ask(ctx, peer.String(), func(r report) bool { return r.Peer == peer })
	return r.Keys, err
}

// gone reports whether it has ended.
func (o *observed) gone() bool {
	select {
	case <-o.ended:
		return true
	default:
		return false
	}
}

// end kills it.
func (o *observed) end() {
	_ = o.cmd.Process.Kill()
	<-o.ended
}

// head keeps the first octets that were written: of a panic, what it was and where.
type head struct{ octets []byte }

func (h *head) Write(b []byte) (int, error) {
	h.octets = append(h.octets, b[:min(len(b), 16<<10-len(h.octets))]...)
	return len(b), nil
}

func (h *head) String() string { return strings.TrimSpace(string(h.octets)) }

// memory is the resident memory of a process now, and the most that it was, in kB.
func memory(pid string) (now, most int) {
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &most)
	}
	return now, most
}
