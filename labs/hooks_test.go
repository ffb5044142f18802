package labs_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
)

// firewall is a middlebox of the hooks lab: what an edge has told it, and whether it is out of order.
type firewall struct {
	mu     sync.Mutex
	told   []told
	broken bool
	asked  int
}

// told is a notice, as far as the lab looks at it (docs/hooks.md).
type told struct {
	ID, Event, Outcome, VMID, State string
	From, To                        struct{ TES, NVE, VTEP string }
	Attachments                     []struct {
		VN, MAC string
		IPs     []string
	}
}

// firewall opens the middlebox of a node.
func (l lab) firewall(node string) *firewall {
	l.t.Helper()
	var listener net.Listener
	err := l.Namespace(node).Do(func() (err error) {
		listener, err = net.Listen("tcp", ":8394")
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	f := &firewall{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { f.serve(l, w, q) })}
	go func() { _ = server.Serve(listener) }() // until Close
	l.t.Cleanup(func() { server.Close() })
	return f
}

func (f *firewall) serve(l lab, w http.ResponseWriter, q *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	text, err := io.ReadAll(q.Body)
	if err != nil {
		l.t.Error(err)
	}
	mac := hmac.New(sha256.New, []byte("between the edges and their firewalls"))
	mac.Write(text)
	if got, want := q.Header.Get("Tns-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		l.t.Errorf("signature %s of %s, want %s", got, text, want)
	}
	if f.broken {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var n told
	if err := json.Unmarshal(text, &n); err != nil || n.ID != q.Header.Get("Tns-Event-Id") {
		l.t.Errorf("%s: %v", text, err)
	}
	f.told = append(f.told, n)
}

func (f *firewall) setBroken(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// hears waits for the next notice of a firewall.
func (l lab) hears(f *firewall, event, outcome, state string) told {
	l.t.Helper()
	var n told
	l.soon(event+" "+outcome, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.told) == 0 {
			return fmt.Errorf("nothing was told")
		}
		n = f.told[0]
		f.told = f.told[1:]
		return nil
	})
	if n.Event != event || n.Outcome != outcome || n.State != state {
		l.t.Fatalf("told %+v, want %s, %s, %s", n, event, outcome, state)
	}
	return n
}

// TestHooks moves a VM between two edges: each tells its own firewall, with both ends, in order, also one that is out of order for a while and an engine that is killed.
func TestHooks(t *testing.T) {
	l := deploy(t, "hooks/topology.clab.yml")
	l.ready()
	fw1, fw2 := l.firewall("fw1"), l.firewall("fw2")
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	l.knows("edge1", v.mac, fdb.None)
	l.knows("vtep", v.mac, fdb.To(edge1))

	l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
	l.does("tes1", "emigrate", v.id)
	l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
	l.knows("edge1", v.mac, fdb.To(edge2)) // the reflector takes longer than the VM manager, and a TERMINATE before that ends the emigration
	l.does("tes1", "terminate", v.id)
	here := func(n told, end struct{ TES, NVE, VTEP string }, tes, edge string) {
		t.Helper()
		if end.VTEP != edge || end.NVE != edge || end.TES != tes {
			t.Errorf("%s %s: end %+v, want %s at %s", n.Event, n.Outcome, end, tes, edge)
		}
	}
	for _, state := range []string{"pre-associated", "associated"} {
		n := l.hears(fw2, "immigration", "completed", state)
		here(n, n.To, tes2, edge2)
		here(n, n.From, "", edge1)
		if n.VMID != v.id || len(n.Attachments) != 1 || n.Attachments[0].VN != "blue" || n.Attachments[0].MAC != v.mac.String() || len(n.Attachments[0].IPs) != 1 || n.Attachments[0].IPs[0] != "10.1.0.1" {
			t.Errorf("told %+v", n)
		}
	}
	n := l.hears(fw1, "emigration", "started", "emigrating")
	here(n, n.From, tes1, edge1)
	here(n, n.To, "", "")
	n = l.hears(fw1, "emigration", "completed", "emigrating")
	here(n, n.From, tes1, edge1)
	here(n, n.To, "", edge2)
	if text := l.run("edge2", "tnsctl", "--json", "events", "--vm", v.id); !json.Valid([]byte(text)) || !contains(text, `"kind": "move"`, `"op": "immigration"`, n.VMID) {
		t.Errorf("events of edge2:\n%s", text)
	}

	t.Run("a firewall out of order, and an engine that is killed", func(t *testing.T) {
		l := l.in(t)
		fw1.setBroken(true)
		l.does("tes1", "associate", v.id, immigration, "--nic", v.nic)
		l.does("tes2", "terminate", v.id)
		l.does("tes1", "emigrate", v.id)
		l.soon("attempts", func() error {
			fw1.mu.Lock()
			defer fw1.mu.Unlock()
			if fw1.asked < 4 {
				return fmt.Errorf("%d", fw1.asked)
			}
			return nil
		})
		l.killProcess("edge1", "engine")
		fw1.setBroken(false)
		n := l.hears(fw1, "immigration", "completed", "associated")
		here(n, n.From, "", edge2)
		here(n, n.To, tes1, edge1)
		n = l.hears(fw1, "emigration", "started", "emigrating")
		here(n, n.From, tes1, edge1)
		l.soon("figures", func() error {
			text := l.run("edge1", "curl", "-s", "http://127.0.0.1:9479/metrics")
			if !contains(text, `tns_hook_queue{hook="http://203.0.113.2:8394/tns"} 0`, `tns_hook_dropped_total{hook="http://203.0.113.2:8394/tns"} 0`) {
				return fmt.Errorf("metrics:\n%s", text)
			}
			return nil
		})
	})
}
