package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestMetricsAreAskedForAtEachScrape(t *testing.T) {
	scrapes := uint64(0)
	h := Handler(func() []Figure {
		scrapes++
		return []Figure{
			Count("requests_total", "Requests.", scrapes, Label{"op", "associate"}),
			Count("requests_total", "Requests.", 7, Label{"op", "suspend"}),
			Gauge("vms", "VMs.", 3),
			Flag("ready", "Whether it is.", true),
		}
	}, func() error { return nil })
	for i := 1; i <= 2; i++ {
		code, body := get(t, h, "/metrics")
		if code != http.StatusOK {
			t.Fatalf("status %d: %s", code, body)
		}
		for _, want := range []string{
			"# HELP tns_requests_total Requests.\n# TYPE tns_requests_total counter\n",
			fmt.Sprintf("tns_requests_total{op=\"associate\"} %d\n", i),
			"tns_requests_total{op=\"suspend\"} 7\n",
			"# TYPE tns_vms gauge\ntns_vms 3\n",
			"tns_ready 1\n",
			"go_goroutines",
			"process_open_fds",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("scrape %d: %q is missing in\n%s", i, want, body)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	var why error
	h := Handler(func() []Figure { return nil }, func() error { return why })
	for _, c := range []struct {
		why  error
		path string
		code int
		body string
	}{
		{nil, "/healthz", 200, "ok\n"},
		{nil, "/readyz", 200, "ok\n"},
		{errors.New("no session to any NVE"), "/healthz", 200, "ok\n"},
		{errors.New("no session to any NVE"), "/readyz", 503, "no session to any NVE\n"},
		{nil, "/", 404, "404 page not found\n"},
	} {
		why = c.why
		if code, body := get(t, h, c.path); code != c.code || body != c.body {
			t.Errorf("%s with %v: %d %q, want %d %q", c.path, c.why, code, body, c.code, c.body)
		}
	}
}

func TestServer(t *testing.T) {
	s, err := New("127.0.0.1:0", func() []Figure { return nil }, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(s.Address().String(), nil, nil); err == nil {
		t.Error("a second server opened the same address")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r, err := http.Get("http://" + s.Address().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || string(body) != "ok\n" {
		t.Errorf("healthz: %q, %v", body, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v, want no error when ctx ends", err)
	}
}
