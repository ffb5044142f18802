package labs_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/wait"
)

// The sockets of GoBGP's API.
var (
	ofTES    = []string{"gobgp", "--target", "unix:///run/tns/tesd-gobgp.sock"}
	ofFabric = []string{"gobgp", "--target", "unix:///run/tns/nved-gobgp.sock"}
	ofEdge   = []string{"gobgp", "--target", "unix:///run/tns/nved-tes-gobgp.sock"}
)

func gobgp(target []string, words string) []string {
	return append(slices.Clone(target), strings.Fields(words)...)
}

// TestGoBGPReads shows both daemons to the stock gobgp, which may not write by default.
func TestGoBGPReads(t *testing.T) {
	l := deploy(t, "migration/reflector.clab.yml")
	l.ready()
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	for _, c := range []struct {
		what, node string
		target     []string
		words      string
		want       string
	}{
		{"the requests of a TES", "tes1", ofTES, "global rib -a evpn", v.mac.String()},
		{"the neighbour of a TES", "tes1", ofTES, "neighbor", "192.0.2.1"},
		{"the responses to a TES", "tes1", ofTES, "neighbor 192.0.2.1 adj-in -a evpn", v.mac.String()},
		{"the routes of an edge", "edge1", ofFabric, "global rib -a evpn", v.mac.String()},
		{"the reflector of an edge", "edge1", ofFabric, "neighbor", "192.0.2.254"},
		{"the TESs of an edge", "edge1", ofEdge, "neighbor", tes1},
		{"the requests at an edge", "edge1", ofEdge, "neighbor " + tes1 + " adj-in -a evpn", v.mac.String()},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := l.in(t).run(c.node, gobgp(c.target, c.words)...); !strings.Contains(got, c.want) {
				t.Errorf("gobgp %s on %s shows no %s:\n%s", c.words, c.node, c.want, got)
			}
		})
	}
	for _, c := range []struct {
		node   string
		target []string
	}{{"tes1", ofTES}, {"edge1", ofFabric}, {"edge1", ofEdge}} {
		for _, words := range []string{
			"global rib add -a evpn multicast 203.0.113.1 etag 0 rd 1:1 rt 65000:10100",
			"global rib del all -a evpn",
			"neighbor add 203.0.113.9 as 65009",
			"global del all",
		} {
			t.Run(c.target[2]+" refuses "+words, func(t *testing.T) {
				output, err := l.Output(l.ctx, c.node, gobgp(c.target, words)...)
				text := strings.ToLower(fmt.Sprint(output, err))
				if err == nil && !strings.Contains(text, "denied") || !strings.Contains(text, "read-only") && !strings.Contains(text, "permission") {
					t.Errorf("want a refusal that says why, got %q, %v", output, err)
				}
			})
		}
	}
	l.stands("edge1", v.id, tes1, "associated", "")
	l.knows("vtep", v.mac, fdb.To(edge1))
}

// TestGoBGPWrites lets gobgp write. A request that it deletes at a TES is back within a second and the edge did not move;
// garbage stays garbage.
func TestGoBGPWrites(t *testing.T) {
	l := deploy(t, "gobgp/topology.clab.yml")
	l.established("tes1", 1)
	l.established("edge1", 2)
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	before, err := l.show("edge1", v.id, tes1)
	if err != nil {
		t.Fatal(err)
	}
	unchanged := func(l lab) func() error {
		return func() error {
			if err := l.local("edge1", "tes1-blue", v.mac); err != nil {
				return err
			}
			now, err := l.show("edge1", v.id, tes1)
			if err == nil && fmt.Sprint(now) != fmt.Sprint(before) {
				err = fmt.Errorf("the edge has %+v, had %+v", now, before)
			}
			return err
		}
	}

	for _, ip := range []string{"0.0.0.0", "10.1.0.1"} {
		t.Run("a deleted request is restored, IP "+ip, func(t *testing.T) {
			l := l.in(t)
			rd := l.rdOf(v.mac)
			changes := l.monitor("tes1")
			l.run("tes1", gobgp(ofTES, "global rib del -a evpn macadv "+v.mac.String()+" "+ip+" etag 0 label 10100 rd "+rd)...)
			var took time.Duration
			l.soon("the request restored", func() (err error) {
				took, err = changes.restored(v.mac.String(), ip)
				return err
			})
			if took > time.Second {
				t.Errorf("restored after %v, want a second at most", took)
			}
			if err := wait.Throughout(l.ctx, 500*time.Millisecond, "the edge", unchanged(l)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range []struct {
		node   string
		target []string
		words  string
	}{
		{"tes1", ofTES, "global rib add -a evpn macadv 02:00:00:00:66:01 10.1.0.66 etag 0 label 10100 rd 198.51.100.11:66 rt 65000:10100"},
		{"tes1", ofTES, "global rib add -a evpn multicast 203.0.113.1 etag 7 rd 1:1"},
		{"tes1", ofTES, "global rib add -a evpn prefix 203.0.113.0/24 etag 0 rd 1:1"},
		{"tes1", ofTES, "global rib add -a evpn macadv " + v.mac.String() + " 10.1.0.1 etag 9 label 10100 rd 198.51.100.99:1 rt 8394:3221225985"},
		{"edge1", ofEdge, "global rib add -a evpn macadv 02:00:00:00:66:02 10.1.0.67 etag 1 label 10100 rd 192.0.2.1:1 rt 8395:3325256715"},
		{"edge1", ofEdge, "global rib add -a evpn multicast 203.0.113.1 etag 0 rd 1:1"},
		{"edge1", ofFabric, "global rib add -a evpn macadv 02:00:00:00:66:03 10.1.0.68 etag 0 label 10100 rd 192.0.2.1:77 rt 65000:10100"},
		{"edge1", ofFabric, "global rib add -a evpn multicast 203.0.113.1 etag 0 rd 1:1 rt 65000:10100"},
		{"edge1", ofFabric, "global rib add -a evpn prefix 203.0.113.0/24 etag 0 rd 1:1"},
		{"tes1", ofTES, "global del all"},
		{"tes1", ofTES, "neighbor del 192.0.2.1"},
		{"edge1", ofFabric, "global as 65001 router-id 203.0.113.1"},
		{"edge1", ofEdge, "global rib del all -a evpn"},
	} {
		t.Run("garbage: "+c.target[2]+" "+c.words, func(t *testing.T) {
			l := l.in(t)
			// Whether it is taken or refused is the daemon's choice.
			if _, err := l.Output(l.ctx, c.node, gobgp(c.target, c.words)...); err != nil {
				t.Log(err)
			}
			if err := wait.Throughout(l.ctx, 300*time.Millisecond, "the edge", unchanged(l)); err != nil {
				t.Error(err)
			}
		})
	}
	l.does("tes1", "suspend", v.id)
	l.does("tes1", "resume", v.id)
	l.does("tes1", "terminate", v.id)
	w := newVM(2)
	l.does("tes1", "associate", w.id, "--nic", w.nic)
	if err := l.local("edge1", "tes1-blue", w.mac); err != nil {
		t.Error(err)
	}
}

// local checks that a bridge has a MAC on a port.
func (l lab) local(node, port string, mac net.HardwareAddr) error {
	text, err := l.Output(l.ctx, node, "bridge", "fdb", "show", "dev", port)
	if err == nil && !strings.Contains(text, mac.String()+" ") {
		err = fmt.Errorf("%s:%s has no entry for %s:\n%s", node, port, mac, text)
	}
	return err
}

// rdOf reads the RD of a request as gobgp prints it.
func (l lab) rdOf(mac net.HardwareAddr) string {
	l.t.Helper()
	for line := range strings.Lines(l.run("tes1", gobgp(ofTES, "global rib -a evpn")...)) {
		if _, rest, ok := strings.Cut(line, "[rd:"); ok && strings.Contains(line, mac.String()) {
			rd, _, _ := strings.Cut(rest, "]")
			return rd
		}
	}
	l.t.Fatalf("tesd's table has no %s", mac)
	return ""
}

// changes is what `gobgp monitor` has printed of a table so far.
type changes struct {
	mu    sync.Mutex
	lines []line
}

// line is a printed line and when it came.
type line struct {
	at   time.Time
	text string
}

// monitor runs `gobgp monitor` on a TES until the test ends.
func (l lab) monitor(node string) *changes {
	l.t.Helper()
	ctx, stop := context.WithCancel(l.ctx)
	c := l.Command(ctx, node, gobgp(ofTES, "monitor global rib -a evpn --current")...)
	stdout, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	seen, done := &changes{}, make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			seen.mu.Lock()
			seen.lines = append(seen.lines, line{time.Now(), lines.Text()})
			seen.mu.Unlock()
		}
	}()
	l.t.Cleanup(func() {
		stop()
		<-done
		c.Wait()
	})
	l.soon("gobgp monitor", func() error {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.lines) == 0 {
			return fmt.Errorf("it has printed nothing")
		}
		return nil
	})
	return seen
}

// restored tells how long after it went a route came back.
func (c *changes) restored(mac, ip string) (time.Duration, error) {
	if ip == "0.0.0.0" {
		ip = "<nil>"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone time.Time
	for _, l := range c.lines {
		if !strings.Contains(l.text, mac) || !strings.Contains(l.text, "[ip:"+ip+"]") {
			continue
		}
		if strings.Contains(l.text, "[DELROUTE]") {
			gone = l.at
		} else if !gone.IsZero() {
			return l.at.Sub(gone), nil
		}
	}
	return 0, fmt.Errorf("gone: %v; the table's changes: %v", !gone.IsZero(), c.lines)
}
