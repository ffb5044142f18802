package heap

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// child makes this program one process of a test's own, whose heap is small: it does giveBack, or aheadWithin so many octets.
const child = "TNS_MEMORY_TEST"

func TestMain(m *testing.M) {
	what := os.Getenv(child)
	if what == "" {
		os.Exit(m.Run())
	}
	do := giveBack
	if room, err := strconv.Atoi(what); err == nil {
		do = func() error { return aheadWithin(room) }
	}
	if err := do(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

const much = 64 << 20

// heap keeps what a process allocates from going before it lets it.
var heap [][]byte

// fill allocates so many octets in pieces and touches all of them.
func fill(octets int) {
	const piece = 8 << 10
	for range octets / piece {
		heap = append(heap, bytes.Repeat([]byte{1}, piece))
	}
}

// at is where a piece is.
func at(piece []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(piece))) }

// A process that has used much, and uses little now, is as small again as it was.
func TestGarbageGoesBackToTheKernel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(os.Environ(), child+"=give back")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func giveBack() error {
	_ = PreferHuge() // or not
	k := NewKeeper()
	fill(much)
	low, high := at(heap[0]), at(heap[0])
	for _, p := range heap {
		low, high = min(low, at(p)), max(high, at(p))
	}
	full, _, err := mapped(low, high)
	if err != nil || full < much/10*9 {
		return fmt.Errorf("%d octets are in memory, want %d; %w", full, much, err)
	}
	heap = nil // nobody collects it before as much is allocated again
	go k.Run(context.Background())
	k.Note(flood)
	deadline := time.Now().Add(time.Minute)
	for range time.Tick(20 * time.Millisecond) {
		left, _, err := mapped(low, high)
		if err != nil {
			return err
		}
		if left < much/10 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d octets are still in memory, of %d that were", left, full)
		}
	}
	return nil
}

// Huge pages are allowed and forbidden where the heap grows, and nothing is said of them where none were to be had.
func TestAllow(t *testing.T) {
	if err := ahead(much); err != nil {
		t.Logf("no huge pages: %v", err)
	}
	for _, huge := range []bool{false, true} {
		if err := allow(huge); err != nil {
			t.Fatal(err)
		}
		if reserved.octets == 0 {
			continue
		}
		_, flags, err := mapped(reserved.start, reserved.start)
		if want := map[bool]string{true: "hg", false: "nh"}[huge]; err != nil || !strings.Contains(flags, " "+want) {
			t.Errorf("huge pages %v: the heap's flags are %q, want %s; %v", huge, flags, want, err)
		}
	}
}

// mapped is what the kernel says of mappings between two addresses: how many octets of them are in memory, and the flags of the last one.
func mapped(low, high uintptr) (octets int, flags string, err error) {
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return 0, "", err
	}
	here := false
	for line := range strings.Lines(string(b)) {
		var first, end uintptr
		var kilobytes int
		if n, _ := fmt.Sscanf(line, "%x-%x ", &first, &end); n == 2 {
			here = first <= high && low < end
		} else if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); n == 1 && here {
			octets += kilobytes << 10
		} else if text, ok := strings.CutPrefix(line, "VmFlags:"); ok && here {
			flags = text
		}
	}
	return octets, flags, nil
}
