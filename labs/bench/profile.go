package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// profile records where a program of a node spends its time, with perf, if that was asked for, until stop is called. It leaves NAME-self.txt, where the
// time is spent, and NAME-all.txt, with all that was called from there. The program has to have its symbols.
func (b *Bench) profile(w *World, name, node, program string) (stop func() error, err error) {
	if b.Profiles == "" || w.System != Ours {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(b.Profiles, 0o755); err != nil {
		return nil, err
	}
	all, err := w.Everything(node)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !p.Is(program) {
			continue
		}
		data := filepath.Join(b.dir, name+".perf")
		c := exec.Command("perf", "record", "-F", "499", "-g", "-o", data, "-p", strconv.Itoa(p.ID))
		end, err := startRecording(c)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", program, err)
		}
		return func() error {
			defer end()
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				return fmt.Errorf("profile %s: %w", program, err)
			}
			var exit *exec.ExitError
			if err := c.Wait(); err != nil && !errors.As(err, &exit) { // perf ends by the signal that it has caught
				return fmt.Errorf("profile %s: %w", program, err)
			}
			return errors.Join(b.reportProfile(data, name+"-self", "--no-children"), b.reportProfile(data, name+"-all", "--children"))
		}, nil
	}
	return nil, fmt.Errorf("profile %s on %s: it does not run", program, node)
}

// startRecording starts perf and returns once it records: it begins without, and acknowledges that it was told to. It goes on listening until end.
func startRecording(c *exec.Cmd) (end func(), err error) {
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer told.Close()
	answer, answering, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, tell.Close())
	}
	defer answering.Close()
	end = func() { tell.Close(); answer.Close() }
	c.ExtraFiles = []*os.File{told, answering} // 3 and 4
	c.Args = append(c.Args, "--delay", "-1", "--control", "fd:3,4")
	if err := c.Start(); err != nil {
		end()
		return nil, err
	}
	_, err = tell.WriteString("enable\n")
	err = errors.Join(err, answer.SetReadDeadline(time.Now().Add(patience)))
	if err == nil {
		_, err = bufio.NewReader(answer).ReadString('\n')
	}
	if err != nil {
		end()
		err = errors.Join(err, c.Process.Kill(), c.Wait())
	}
	return end, err
}

// profileLines is how much of a profile is kept.
const profileLines = 60

// reportProfile writes the first lines of a profile.
func (b *Bench) reportProfile(data, name, order string) error {
	text, err := exec.Command("perf", "report", "-i", data, "--stdio", order, "-g", "none", "--sort", "symbol").Output()
	if err != nil {
		return fmt.Errorf("report profile %s: %w", name, err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "     -") // of the columns that are empty
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && len(lines) < profileLines {
			lines = append(lines, line)
		}
	}
	return os.WriteFile(filepath.Join(b.Profiles, name+".txt"), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// profileAll profiles several programs, each given as node and program.
func (b *Bench) profileAll(w *World, what string, programs ...[2]string) (stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var problems []error
		for _, s := range stops {
			problems = append(problems, s())
		}
		return errors.Join(problems...)
	}
	for _, p := range programs {
		s, err := b.profile(w, what+"-"+p[0]+"-"+p[1], p[0], p[1])
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		stops = append(stops, s)
	}
	return stop, nil
}
