package endtoend

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// An engine that is new, and finds a route to a VM's MAC that the VM's own outranked before, does not believe it: the edge that it came from, whose engine may
// have been killed, too, has not withdrawn it yet. The VM stays what it is, and nobody is told anything.
func TestNewEngineAndAnotherEdgesOldRoute(t *testing.T) {
	w := newWorld(t)
	const vtep = "198.51.100.13"
	w.address(w.tes, vtep, w.nve)
	w.change("nved.yaml", "fabric: []", "fabric:\n  - {address: "+vtep+", as: 65000, port: 1790, hold_time: 90s}")
	accept := await(t, w.tes, vtep+":1790")
	nved := w.start("nved")
	w.start("tesd")
	p := accept()
	p.establish()
	p.say(typeUpdate, update(p.reach(mac), communities()...))
	p.say(typeUpdate, []byte{0, 0, 0, 6, 0x80, 15, 3, 0, 25, 70}) // End-of-RIB (RFC 4724)
	w.established()
	w.operate("associate", "--immigration", "--nic", nic)
	w.operate("suspend")
	w.operate("resume") // the request that stands is no Immigration
	w.tookOver(0)
	p.silence(time.Second) // until all of that is said
	for n := range 3 {
		nved.kill("engine")
		w.tookOver(n + 1)
		if said := p.silence(100 * time.Millisecond); said > 0 {
			t.Errorf("after %d kills the fabric was sent %d UPDATEs, want none", n+1, said)
		}
	}
	w.becomes("nved", "associated", "")
	if !w.forwards(mac) {
		t.Error("the kernel lost the entry")
	}
	if story := w.tnsctl("nved", "vm", "explain", vmid).out; strings.Contains(story, "emigrating") {
		t.Errorf("an engine gave the VM up:\n%s", story)
	}
}

// tookOver waits until so many engines have come after the first, and the last one has said everything.
func (w *world) tookOver(restarts int) {
	w.t.Helper()
	eventually(w.t, "wait for the engine", func() error {
		s := w.tnsctl("nved", "--json", "sessions")
		if s.status != 0 {
			return fmt.Errorf("exit status %d: %s", s.status, s.errs)
		}
		for _, v := range decode[[]struct {
			Peer     string
			Restarts int `json:"engine_restarts"`
			Engine   string
			Renewing bool
		}](w.t, s) {
			if v.Restarts != restarts || v.Engine != "established" || v.Renewing {
				return fmt.Errorf("%+v, want %d restarts", v, restarts)
			}
		}
		return nil
	})
}

// silence reads until the other side has been silent for that long, and counts the UPDATEs.
func (p *peer) silence(d time.Duration) (updates int) {
	p.t.Helper()
	for {
		if err := p.SetReadDeadline(time.Now().Add(d)); err != nil {
			p.t.Fatal(err)
		}
		header := make([]byte, 19)
		n, err := io.ReadFull(p, header)
		if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
			return updates
		}
		if err == nil {
			_, err = io.CopyN(io.Discard, p, int64(header[16])<<8+int64(header[17])-19)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if header[18] == typeUpdate {
			updates++
		}
	}
}
