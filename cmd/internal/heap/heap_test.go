package heap

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// later is what is allocated after the heap was prepared.
var later []byte

func TestHeapGrowsIntoHugePages(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := ahead(64 << 20)
	if _, missing := os.Stat("/sys/kernel/mm/transparent_hugepage"); missing != nil {
		if !errors.Is(err, syscall.EINVAL) {
			t.Fatalf("a kernel without huge pages: %v, want %v", err, syscall.EINVAL)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if released := after.HeapReleased - before.HeapReleased; after.HeapReleased < 60<<20 || after.HeapReleased < before.HeapReleased {
		t.Errorf("%d octets more are given back, want those that were asked for", released)
	}
	if used := after.HeapInuse; used > before.HeapInuse+(8<<20) {
		t.Errorf("%d octets of the heap are used, before %d", used, before.HeapInuse)
	}
	later = make([]byte, 32<<20)
	if flags := flagsAt(t, uintptr(unsafe.Pointer(&later[len(later)/2]))); !slices.Contains(flags, "hg") {
		t.Errorf("what is allocated afterwards has the flags %v, want hg (/proc/self/smaps)", flags)
	}
}

func TestTooMuchIsAnError(t *testing.T) {
	if err := ahead(1 << 46); !errors.Is(err, syscall.ENOMEM) {
		t.Fatalf("%v, want %v", err, syscall.ENOMEM)
	}
}

// flagsAt reads VmFlags of the mapping that holds an address.
func flagsAt(t *testing.T, address uintptr) []string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in bool
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		if _, err := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); err == nil {
			in = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(s.Text(), "VmFlags:"); ok && in {
			return strings.Fields(flags)
		}
	}
	t.Fatalf("no mapping has %#x", address)
	return nil
}
