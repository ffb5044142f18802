package usage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is what a figure depends on.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Memory int64  `json:"memory_bytes"`
	Kernel string `json:"kernel"`
	System string `json:"system"`
	FRR    string `json:"frr,omitempty"`
	Go     string `json:"go"`
}

// ThisMachine reads the facts. What cannot be read is "unknown".
func ThisMachine() Machine {
	m := Machine{CPU: "unknown", CPUs: runtime.NumCPU(), Kernel: "unknown", System: "unknown", Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(text, "model name", ":", m.CPU)
		if mhz := field(text, "cpu MHz", ":", ""); mhz != "" {
			m.CPU += " at " + mhz + " MHz"
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory, _ = kilobytes(text, "MemTotal:")
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		m.System = strings.Trim(field(text, "PRETTY_NAME", "=", m.System), `"`)
	}
	if text, err := exec.Command("/usr/lib/frr/bgpd", "--version").Output(); err == nil {
		m.FRR = strings.TrimSpace(strings.TrimPrefix(string(bytes.SplitN(text, []byte("\n"), 2)[0]), "bgpd version"))
	}
	return m
}

// field is the value of the first line that begins with a name.
func field(text []byte, name, separator, otherwise string) string {
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

// Load is what the machine did in a span of time.
type Load struct {
	Average float64 `json:"load_average"` // of the last minute, at the end
	Busy    float64 `json:"busy_cpus"`    // how many CPUs were busy on average
	Others  float64 `json:"others_cpus"`  // how many of them with what was not being measured, the kernel's own threads included
	Stolen  float64 `json:"stolen_cpus"`  // how many the hypervisor gave to others
}

// Clock is the machine's time at the beginning of a span.
type Clock struct {
	at           time.Time
	busy, stolen time.Duration
}

// ticks of /proc/stat a second: USER_HZ.
const ticks = 100

// Now reads the clock.
func Now() (Clock, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Clock{}, err
	}
	fields := strings.Fields(string(bytes.SplitN(text, []byte("\n"), 2)[0]))
	if len(fields) < 9 || fields[0] != "cpu" {
		return Clock{}, fmt.Errorf("/proc/stat begins with %q, want cpu and eight numbers", fields)
	}
	c := Clock{at: time.Now()}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return Clock{}, fmt.Errorf("/proc/stat: %w", err)
		}
		d := time.Duration(n) * time.Second / ticks
		switch i {
		case 3, 4: // idle, and idle in wait for a disk
		case 7:
			c.stolen = d
		default:
			c.busy += d
		}
	}
	return c, nil
}

// Since is what the machine did since, of which own was what is measured.
func (c Clock) Since(own time.Duration) (Load, error) {
	now, err := Now()
	if err != nil {
		return Load{}, err
	}
	span := float64(now.at.Sub(c.at))
	l := Load{Busy: float64(now.busy-c.busy) / span, Stolen: float64(now.stolen-c.stolen) / span}
	l.Others = max(0, float64(now.busy-c.busy-own)/span)
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return l, err
	}
	l.Average, err = strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	return l, err
}
