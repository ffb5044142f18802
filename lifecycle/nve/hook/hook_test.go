package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
)

const secret = "between edge and firewall"

// receiver is a middlebox: a real HTTP server that does as it is told with each POST.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []posted
	answer func(n int, p posted) int // the n-th POST's status, the first being 1; nil: 204
}

// posted is a POST as it came.
type posted struct {
	header http.Header
	body   []byte
	told   body
}

func newReceiver(t *testing.T, make func(http.Handler) *httptest.Server, answer func(int, posted) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = make(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, err := io.ReadAll(q.Body)
		if err != nil || q.Method != http.MethodPost {
			t.Errorf("%s: %v", q.Method, err)
		}
		p := posted{header: q.Header, body: text}
		if err := json.Unmarshal(text, &p.told); err != nil {
			t.Errorf("body %q: %v", text, err)
		}
		r.mu.Lock()
		r.got = append(r.got, p)
		n := len(r.got)
		r.mu.Unlock()
		status := http.StatusNoContent
		if r.answer != nil {
			status = r.answer(n, p)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []posted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// spool is a disk.
type spool map[string]map[uint64][]byte

var lock sync.Mutex

func (s spool) PutNotice(hook string, n uint64, body []byte) {
	lock.Lock()
	defer lock.Unlock()
	if s[hook] == nil {
		s[hook] = map[uint64][]byte{}
	}
	s[hook][n] = body
}

func (s spool) DropNotice(hook string, n uint64) {
	lock.Lock()
	defer lock.Unlock()
	delete(s[hook], n)
}

func (s spool) Notices() (map[string]map[uint64][]byte, error) {
	lock.Lock()
	defer lock.Unlock()
	all := map[string]map[uint64][]byte{}
	for h, m := range s {
		all[h] = maps.Clone(m)
	}
	return all, nil
}

func (s spool) left() (n int) {
	lock.Lock()
	defer lock.Unlock()
	for _, m := range s {
		n += len(m)
	}
	return n
}

// hookTo is a hook to the receiver that retries quickly.
func hookTo(t *testing.T, url string, change ...func(*Hook)) Hook {
	t.Helper()
	client, err := NewClient(nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	h := Hook{URL: url, Name: "receiver", Events: []nve.Notable{nve.Immigration, nve.Emigration}, Secret: []byte(secret), Client: client, Retries: 100, Backoff: time.Millisecond, Queue: 100}
	for _, f := range change {
		f(&h)
	}
	return h
}

func start(t *testing.T, s Spool, hooks ...Hook) *Poster {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	p, err := New(0xc0000201, hooks, s, logrus.NewEntry(quiet))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs the poster until the test or the returned function ends it.
func run(t *testing.T, p *Poster) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("10 s have passed without: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// notice is the n-th notice of a VM.
func notice(vm byte, n uint32) nve.Notice {
	return nve.Notice{
		ID: [16]byte{vm, byte(n >> 8), byte(n)}, Event: nve.Immigration, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), VM: evpn.VMID{15: vm}, TES: 0xc633640b, Sequence: n,
		State: evpn.StateAssociated, From: nve.End{VTEP: netip.MustParseAddr("192.0.2.2"), NVE: 0xc0000202},
		To:          nve.End{TES: 0xc633640b, NVE: 0xc0000201, VTEP: netip.MustParseAddr("192.0.2.1")},
		Attachments: []nve.Attachment{{VN: "blue", VNI: 10100, MAC: evpn.MAC{2, 0, 0, 0, 0, vm}, IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}},
	}
}

// The form of a notice is a contract with middleboxes (docs/hooks.md).
// An edge without hooks runs like any other: its poster waits for the end.
func TestNoHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(0xc0000201, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		default:
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestNoticeAsItIsPosted(t *testing.T) {
	r := newReceiver(t, httptest.NewServer, nil)
	p := start(t, nil, hookTo(t, r.URL+"/tns?site=7"))
	run(t, p)
	p.Tell(notice(1, 7))
	refused := notice(2, 8)
	refused.Outcome, refused.Reason = nve.Refused, evpn.Duplicate
	p.Tell(refused) // the hook does not want it
	other := notice(3, 9)
	other.Event = nve.Suspension
	p.Tell(other) // nor this
	until(t, "a POST", func() bool { return p.Stats()["receiver"].Sent == 1 })
	got := r.all()
	const want = `{"id":"01000700-0000-0000-0000-000000000000","event":"immigration","outcome":"completed","at":"2026-01-02T03:04:05.000006Z","nve":"192.0.2.1",` +
		`"vmid":"00000000-0000-0000-0000-000000000001","tes":"198.51.100.11","sequence":7,"state":"associated",` +
		`"from":{"nve":"192.0.2.2","vtep":"192.0.2.2"},"to":{"tes":"198.51.100.11","nve":"192.0.2.1","vtep":"192.0.2.1"},` +
		`"attachments":[{"vn":"blue","vni":10100,"mac":"02:00:00:00:00:01","ips":["10.0.0.1"]}]}`
	if len(got) != 1 || string(got[0].body) != want {
		t.Fatalf("posted %d:\n%s\nwant\n%s", len(got), got[0].body, want)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(got[0].body)
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Tns-Event": "immigration", "Tns-Event-Id": "01000700-0000-0000-0000-000000000000", "Tns-Attempt": "1",
		"Tns-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		if got := got[0].header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRefusalsAreToldToWhoWantsThem(t *testing.T) {
	r := newReceiver(t, httptest.NewServer, nil)
	p := start(t, nil, hookTo(t, r.URL, func(h *Hook) { h.Refusals = true }))
	run(t, p)
	n := notice(1, 1)
	n.Outcome, n.Reason = nve.Refused, evpn.Duplicate
	p.Tell(n)
	until(t, "a POST", func() bool { return len(r.all()) == 1 })
	if b := r.all()[0].told; b.Outcome != "refused" || b.ReasonCode != 14 || b.Reason != evpn.Duplicate.String() {
		t.Errorf("told %+v", b)
	}
}

// A receiver that fails is asked again until it answers; what comes later for the same VM waits, another VM's does not.
func TestFailingReceiverIsAskedAgainInOrder(t *testing.T) {
	recovered := make(chan struct{})
	r := newReceiver(t, httptest.NewServer, func(_ int, p posted) int {
		select {
		case <-recovered:
		default:
			if p.told.VM[35] == '1' {
				return http.StatusServiceUnavailable
			}
		}
		return http.StatusOK
	})
	p := start(t, nil, hookTo(t, r.URL))
	run(t, p)
	for n := range uint32(5) {
		p.Tell(notice(1, n+1))
	}
	p.Tell(notice(2, 1))
	until(t, "the other VM's notice and some retries", func() bool { s := p.Stats()["receiver"]; return s.Sent == 1 && s.Retried >= 3 })
	close(recovered)
	until(t, "all notices", func() bool { s := p.Stats()["receiver"]; return s.Sent == 6 && s.Waiting == 0 })
	last, attempts := uint32(1), map[string]int{}
	for _, g := range r.all() {
		if g.told.VM[35] != '1' {
			continue
		}
		if g.told.Sequence < last || g.told.Sequence > last+1 {
			t.Fatalf("notice %d came after %d", g.told.Sequence, last)
		}
		last = g.told.Sequence
		attempts[g.told.ID]++
		if want := fmt.Sprint(attempts[g.told.ID]); g.header.Get("Tns-Attempt") != want {
			t.Errorf("attempt %s, want %s", g.header.Get("Tns-Attempt"), want)
		}
	}
	if last != 5 {
		t.Errorf("the last one was %d, want 5", last)
	}
}

func TestGivenUpAfterTheRetries(t *testing.T) {
	for name, status := range map[string]int{"a server's error": 500, "a client's error": 404, "a redirection": 302} {
		r := newReceiver(t, httptest.NewServer, func(_ int, p posted) int {
			if p.told.Sequence == 1 {
				return status
			}
			return 200
		})
		disk := spool{}
		p := start(t, disk, hookTo(t, r.URL, func(h *Hook) { h.Retries = 3 }))
		run(t, p)
		p.Tell(notice(1, 1))
		p.Tell(notice(1, 2))
		until(t, name+": the second notice", func() bool { return p.Stats()["receiver"].Sent == 1 })
		if s := p.Stats()["receiver"]; s.Failed != 1 || s.Retried != 3 || len(r.all()) != 5 || disk.left() != 0 {
			t.Errorf("%s: %+v after %d POSTs, %d on disk", name, s, len(r.all()), disk.left())
		}
	}
}

// A full queue loses the oldest, and Tell never waits for a receiver.
func TestSlowReceiverDelaysNobody(t *testing.T) {
	release := make(chan struct{})
	r := newReceiver(t, httptest.NewServer, func(int, posted) int { <-release; return 200 })
	disk := spool{}
	p := start(t, disk, hookTo(t, r.URL, func(h *Hook) { h.Queue = 10 }))
	run(t, p)
	p.Tell(notice(1, 0))
	until(t, "the first POST", func() bool { return len(r.all()) == 1 })
	before := time.Now()
	for n := range uint32(1000) {
		p.Tell(notice(1, n+1))
	}
	if took := time.Since(before); took >= 5*time.Second { // as long as an attempt of hookTo's takes
		t.Errorf("1000 notices took %s", took)
	}
	if s := p.Stats()["receiver"]; s.Dropped != 990 || s.Waiting != 11 || disk.left() != 11 {
		t.Errorf("%+v, %d on disk, want 990 dropped and 11 there", s, disk.left())
	}
	close(release)
	until(t, "the rest", func() bool { return p.Stats()["receiver"].Waiting == 0 })
	var got []uint32
	for _, g := range r.all() {
		got = append(got, g.told.Sequence)
	}
	if !slices.Equal(got, []uint32{0, 991, 992, 993, 994, 995, 996, 997, 998, 999, 1000}) {
		t.Errorf("posted %v, want the first and the newest", got)
	}
}

// A receiver that never answers costs a time-out each.
func TestSilentReceiverTimesOut(t *testing.T) {
	hang := make(chan struct{})
	r := newReceiver(t, httptest.NewServer, func(int, posted) int { <-hang; return 200 })
	t.Cleanup(func() { close(hang) })
	client, err := NewClient(nil, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, hookTo(t, r.URL, func(h *Hook) { h.Client, h.Retries = client, 1 }))
	run(t, p)
	p.Tell(notice(1, 1))
	until(t, "giving up", func() bool { return p.Stats()["receiver"].Failed == 1 })
}

// What waits survives a restart, in its order, under its IDs; what hooks of before waited for is dropped.
func TestWaitingSurvivesARestart(t *testing.T) {
	up := make(chan struct{})
	r := newReceiver(t, httptest.NewServer, func(int, posted) int {
		select {
		case <-up:
			return 200
		default:
			return 503
		}
	})
	disk := spool{"gone": {7: []byte("{}")}, "receiver": {1: []byte("no JSON")}}
	first := start(t, disk, hookTo(t, r.URL))
	stop := run(t, first)
	for n := range uint32(3) {
		first.Tell(notice(1, n+1))
	}
	until(t, "an attempt", func() bool { return len(r.all()) > 0 })
	stop()
	if disk.left() != 3 {
		t.Fatalf("%d on disk, want 3", disk.left())
	}
	close(up)
	second := start(t, disk, hookTo(t, r.URL))
	second.Tell(notice(1, 4))
	run(t, second)
	until(t, "all notices", func() bool { return second.Stats()["receiver"].Sent == 4 })
	var ids []string // in the order of their first attempts: one that the restart broke off may arrive at any time
	for i, g := range r.all() {
		if g.header.Get("Tns-Signature") != Signature([]byte(secret), g.body) {
			t.Errorf("POST %d has signature %s", i, g.header.Get("Tns-Signature"))
		}
		if !slices.Contains(ids, g.told.ID) {
			ids = append(ids, g.told.ID)
		}
	}
	var want []string
	for n := range uint32(4) {
		next := notice(1, n+1)
		want = append(want, next.IDText())
	}
	if !slices.Equal(ids, want) {
		t.Errorf("the receiver was told %v, want %v", ids, want)
	}
	if disk.left() != 0 {
		t.Errorf("%d on disk, want none", disk.left())
	}
}

// With TLS the receiver must be one that an authority vouches for: of the system, or of the hook's own file.
func TestTLS(t *testing.T) {
	r := newReceiver(t, httptest.NewTLSServer, nil)
	r.Config.ErrorLog = nil
	der := r.Certificate().Raw
	if block, _ := pem.Decode(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); block == nil {
		t.Fatal("no certificate")
	}
	trusting, err := NewClient([][]byte{der}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nil,
		hookTo(t, r.URL, func(h *Hook) { h.Name, h.Client = "trusting", trusting }),
		hookTo(t, r.URL, func(h *Hook) { h.Name, h.Retries = "wary", 0 }))
	run(t, p)
	p.Tell(notice(1, 1))
	until(t, "both outcomes", func() bool { s := p.Stats(); return s["trusting"].Sent == 1 && s["wary"].Failed == 1 })
	if n := len(r.all()); n != 1 {
		t.Errorf("%d POSTs, want 1", n)
	}
}

func TestErrorsDoNotShowTheQuery(t *testing.T) {
	h := hookTo(t, "http://127.0.0.1:1/?token=sesame")
	err := h.send(t.Context(), &delivery{})
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("error %v", err)
	}
}

func TestPauses(t *testing.T) {
	h := Hook{Backoff: 20 * time.Second}
	for attempts, want := range map[int]time.Duration{1: 20 * time.Second, 2: 40 * time.Second, 3: time.Minute, 100: time.Minute} {
		if got := h.pause(attempts); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempts, got, want)
		}
	}
	h.Backoff = time.Hour
	if got := h.pause(5); got != time.Hour {
		t.Errorf("%s, want an hour", got)
	}
}

// A part of the engine that ends by itself ends the engine.
func TestRunLastsWithoutHooks(t *testing.T) {
	p := start(t, spool{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
		t.Fatal("Run ended before its context")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-done
}
