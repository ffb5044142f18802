package tes

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

var update = flag.Bool("update", false, "write the stories' outcome as it is into testdata")

// TestStories runs testdata/*.txtar. A story is a file "story" of commands, each with what comes of it on the lines below that begin with
// two spaces or "reply". Commands:
//
//	up|down [far]                            the session to an NVE
//	ask OP vmN [VN/MAC[/IP…][%POLICY:VERSION]]… [immigration] [dry-run] [keep-alive] [no-wait] [timeout=D]
//	nve vmN ok|silent|pending|fail=N|kept=N … how the NVE answers its next requests, the last one for good
//	nve vmN is STATE [reason=N]              the NVE changes the state on its own
//	nve vmN tag=VID,CHANGE                   the NVE changes the local tag
//	nve forget                               the NVE loses all its records
//	wait D                                   time passes
//	delete vmN                               someone removes the VM's routes from the speaker's table
//	restart | lose                           the daemon starts again, with its file or without
//	show                                     the snapshot
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { playStory(t, path) })
	}
}

func playStory(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) != 1 || archive.Files[0].Name != "story" {
		t.Fatal("want one file, named story")
	}
	w := newWorld(t)
	var played strings.Builder
	for line := range strings.Lines(string(archive.Files[0].Data)) {
		command := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(command, "  "), strings.HasPrefix(command, "reply"):
			continue
		case command == "", strings.HasPrefix(command, "#"):
			fmt.Fprintln(&played, command)
			continue
		}
		w.trace.Reset()
		w.command(strings.Fields(command))
		fmt.Fprintf(&played, "%s\n%s", command, w.trace.String())
	}
	if *update {
		archive.Files[0].Data = []byte(played.String())
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(archive.Files[0].Data), played.String()); diff != "" {
		t.Errorf("the story went another way (-want +got):\n%s", diff)
	}
}

func (w *world) command(words []string) {
	args := words[1:]
	at := edgeID
	if len(args) > 0 && args[0] == "far" {
		at = farID
	}
	switch words[0] {
	case "up":
		w.up(at)
	case "down":
		w.down(at)
	case "ask":
		w.do(w.operation(args))
	case "nve":
		w.nve(args)
	case "wait":
		w.wait(w.duration(args[0]))
	case "delete":
		w.deleteRoutes(w.vmid(args[0]))
	case "restart":
		w.boot()
	case "lose":
		w.disk = newDisk()
		w.boot()
	case "show":
		if all := w.sayVMs(); all != "" {
			w.print("  %s", strings.ReplaceAll(all, "\n", "\n  "))
		}
	default:
		w.t.Fatalf("unknown command %q", words[0])
	}
}

func (w *world) operation(args []string) Operation {
	o := Operation{VM: w.vmid(args[1])}
	if args[0] == "keep-alive" {
		o.KeepAlive = true
	} else {
		o.Op = w.op(args[0])
	}
	for _, a := range args[2:] {
		switch {
		case a == "immigration":
			o.Immigration = true
		case a == "dry-run":
			o.DryRun = true
		case a == "no-wait":
			o.NoWait = true
		case strings.HasPrefix(a, "timeout="):
			o.Timeout = w.duration(a[len("timeout="):])
		default:
			o.NICs = append(o.NICs, w.nic(a))
		}
	}
	return o
}

func (w *world) op(s string) evpn.Op {
	for op := evpn.PreAssociate; op <= evpn.Terminate; op++ {
		if strings.EqualFold(op.String(), s) {
			return op
		}
	}
	w.t.Fatalf("no operation %q", s)
	return 0
}

func (w *world) nic(s string) NIC {
	s, policy, hasPolicy := strings.Cut(s, "%")
	parts := strings.Split(s, "/")
	n, err := strconv.ParseUint(parts[1], 16, 8)
	if err != nil {
		w.t.Fatal(err)
	}
	card := nic(parts[0], byte(n), parts[2:]...)
	if hasPolicy {
		var p evpn.Policy
		if _, err := fmt.Sscanf(policy, "%d:%d", &p.Type, &p.Version); err != nil {
			w.t.Fatal(err)
		}
		card.Policy = &p
	}
	return card
}

func (w *world) nve(args []string) {
	defer w.quiesce()
	if args[0] == "forget" {
		for _, e := range w.edges {
			e.vms = map[evpn.VMID]*record{}
		}
		return
	}
	id := w.vmid(args[0])
	e := w.edges[edgeID]
	switch {
	case args[1] == "is":
		v := verdict{status: evpn.Fail}
		if len(args) > 2 && len(args[3:]) > 0 {
			v.reason = w.reason(strings.TrimPrefix(args[3], "reason="))
		} else {
			v = verdict{}
		}
		e.change(id, v, w.state(args[2]))
	case strings.HasPrefix(args[1], "tag="):
		var tag evpn.LocalTag
		if _, err := fmt.Sscanf(args[1], "tag=%d,%d", &tag.VID, &tag.Change); err != nil {
			w.t.Fatal(err)
		}
		if tag.VID != 0 {
			tag.Type = 1
		}
		e.vms[id].tag = &tag
	default:
		var vs []verdict
		for _, a := range args[1:] {
			vs = append(vs, w.verdict(a))
		}
		e.script(id, vs...)
	}
}

func (w *world) verdict(s string) verdict {
	what, number, _ := strings.Cut(s, "=")
	switch what {
	case "ok":
		return verdict{}
	case "silent":
		return verdict{silent: true}
	case "pending":
		return verdict{status: evpn.Pending}
	case "fail":
		return refusal(w.reason(number))
	case "kept":
		return refusalKept(w.reason(number))
	}
	w.t.Fatalf("no verdict %q", s)
	return verdict{}
}

func (w *world) reason(s string) evpn.Reason {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		w.t.Fatal(err)
	}
	return evpn.Reason(n)
}

func (w *world) state(s string) evpn.State {
	for state := evpn.StateNull; state <= evpn.StateTerminated; state++ {
		if strings.EqualFold(state.String(), s) {
			return state
		}
	}
	w.t.Fatalf("no state %q", s)
	return 0
}

func (w *world) vmid(s string) evpn.VMID {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "vm"), 10, 8)
	if err != nil {
		w.t.Fatal(err)
	}
	return vmid(byte(n))
}

func (w *world) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// deleteRoutes removes the VM's routes behind the core's back, as `gobgp global rib del` does.
func (w *world) deleteRoutes(id evpn.VMID) {
	for key, r := range w.table.routes {
		if request, err := evpn.DecodeRequest(r.Communities); err == nil && request.VM == id {
			delete(w.table.routes, key)
		}
	}
	keys, _ := w.table.Own()
	w.in(found{keys, true})
}

// routeOf is the announced route of that VN number, MAC and IP.
func (w *world) routeOf(vn string, m evpn.MAC, ip string) evpn.Route {
	w.t.Helper()
	var addr netip.Addr
	if ip != "" {
		addr = netip.MustParseAddr(ip)
	}
	key := evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(tesID, w.disk.image.Numbers[vn]), MAC: m, IP: addr}
	r, ok := w.table.routes[key]
	if !ok {
		w.t.Fatalf("no route %v", key)
	}
	return r
}

// events lists the kinds of the VM's story.
func (w *world) events(id evpn.VMID) []string {
	var kinds []string
	for _, e := range w.log.OfVM(id.String()) {
		kinds = append(kinds, string(e.Kind))
	}
	return slices.Clip(kinds)
}

// hear gives the core an event of a peer.
func (w *world) hear(e speaker.Event) { w.in(heard{e}) }
