// Package usage tells what processes have used of the machine, and what else went on there.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used so far.
type Usage struct {
	CPU  time.Duration // of all its threads, those that have ended too
	RSS  int64         // octets in memory
	Peak int64         // the most that ever were
}

// cpuClock is CPUCLOCK_SCHED of the kernel's include/linux/posix-timers.h: the clock that a process's threads run by.
const cpuClock = 2

// Of reads what a process has used.
func Of(pid int) (u Usage, err error) {
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClock), &at); err != nil {
		return u, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	u.CPU = time.Duration(at.Nano())
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for _, f := range []struct {
		name string
		into *int64
	}{{"VmRSS:", &u.RSS}, {"VmHWM:", &u.Peak}} {
		if *f.into, err = kilobytes(status, f.name); err != nil {
			return u, fmt.Errorf("memory of process %d: %w", pid, err)
		}
	}
	return u, nil
}

// kilobytes is the value of a line such as "VmHWM:	    5316 kB", in octets.
func kilobytes(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == name && string(fields[2]) == "kB" {
			n, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no line %s", name)
}
