// Package heap has the collector's memory made of huge pages, and gives back what is free of it once a process is at rest.
//
// A flood makes a heap of some megabytes one of hundreds, and each page of 4 KiB of it is a fault when it is first touched. A virtual machine pays for a fault what it pays for hundreds of
// allocations. Where the kernel leaves it to processes whether they have huge pages (/sys/kernel/mm/transparent_hugepage/enabled is madvise, as many distributions
// have it), Go's runtime does not ask for them. With "always" or "never" nothing changes here.
//
// While there is work the runtime lets a heap grow to twice of what is used, and it keeps what it has had: of 10,000 VMs that came at once half of the memory was
// garbage a minute later. So a Keeper collects and gives back:
//
//	Note, Note, … ──► work ──── nothing for Still ────► rest: what is garbage or free goes back to the kernel, if it is much
//	                   ▲  │
//	                   │  └── a flood: what the heap grows into may be huge pages again
//	                   └───── Note
//
// It never does so between events that are closer together than Still, and uses at most a fiftieth of the time for it. At rest the kernel is not to make huge pages
// of small ones, which it does some seconds later (khugepaged), and would take again what was given.
package heap

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	share = 16      // of the machine's memory, which the heap can grow into
	most  = 1 << 30 // octets; the runtime keeps a thousandth of it as a table of pages

	// spare is what there has to be of addresses besides: the runtime takes them by 64 MiB, and as much again to find a place that begins at a multiple of that.
	spare = 2 << 26
)

// PreferHuge asks for huge pages, once a process, before much is allocated. The error tells that there are none, and why; the process goes on as well as before.
var PreferHuge = sync.OnceValue(func() error {
	if shadowed {
		return nil
	}
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return fmt.Errorf("how much memory there is: %w", err)
	}
	return ahead(min(uint64(machine.Totalram)*uint64(machine.Unit)/share, most))
})

// ahead has the next so many octets that the heap grows into be huge pages when they are touched: it allocates and gives back all of them, untouched.
func ahead(octets uint64) error {
	if err := try(int(octets)); err != nil {
		return err
	}
	defer debug.FreeOSMemory() // the runtime shall not count them as used
	return advise(int(octets))
}

// try maps as much as the runtime may, and takes it away again: what the runtime is refused ends the process.
func try(octets int) (err error) {
	for _, m := range []struct{ octets, may int }{{octets, unix.PROT_READ | unix.PROT_WRITE}, {spare, unix.PROT_NONE}} {
		trial, refused := unix.Mmap(-1, 0, m.octets, m.may, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if refused != nil {
			return fmt.Errorf("map %d octets ahead: %w", m.octets, refused)
		}
		defer func() { err = errors.Join(err, unix.Munmap(trial)) }()
	}
	return nil
}

// reserved is what advise has asked for.
var reserved struct{ start, octets uintptr }

// advise is a function of its own, so that nothing holds what it has allocated.
//
//go:noinline
func advise(octets int) error {
	block := make([]byte, octets)
	if err := unix.Madvise(block, unix.MADV_HUGEPAGE); err != nil {
		return fmt.Errorf("ask for huge pages: %w", err)
	}
	reserved.start, reserved.octets = uintptr(unsafe.Pointer(unsafe.SliceData(block))), uintptr(octets)
	return nil
}

// allow says whether the kernel may make huge pages of what is reserved, if anything is. What it has made stays.
func allow(huge bool) error {
	advice := uintptr(unix.MADV_NOHUGEPAGE)
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	if reserved.octets > 0 {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, reserved.start, reserved.octets, advice); errno != 0 {
			return fmt.Errorf("ask for huge pages, %v: %w", huge, errno)
		}
	}
	return nil
}
