package clab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process of a node.
type Process struct {
	ID   int // as the machine numbers it
	Args []string
}

// is reports whether the process runs a program.
func (p Process) is(program string) bool {
	return len(p.Args) > 0 && filepath.Base(p.Args[0]) == program
}

// Is reports whether the process runs a program, or is the child of one that names it in its first argument, as `nved engine` does.
func (p Process) Is(program string) bool {
	return p.is(program) || len(p.Args) > 1 && p.Args[1] == program
}

// Processes are those of the node's `cmd`: the one that was started, then its children. There are none when it does not run.
func (l *Lab) Processes(node string) ([]Process, error) {
	command := strings.Fields(l.Topology.Nodes[node].Cmd)
	if len(command) == 0 {
		return nil, nil
	}
	program := filepath.Base(command[0])
	all, err := children(l.machine(node).pid)
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", node, err)
	}
	i := slices.IndexFunc(all, func(p Process) bool { return p.is(program) })
	if i < 0 {
		return nil, nil
	}
	below, err := children(all[i].ID)
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", node, err)
	}
	return append([]Process{all[i]}, below...), nil
}

// Process finds the child of the node's `cmd` whose first argument is name, as in `nved engine`. It is an error if it does not run.
func (l *Lab) Process(node, name string) (Process, error) {
	all, err := l.Processes(node)
	if err != nil {
		return Process{}, err
	}
	for _, p := range all {
		if len(p.Args) > 1 && p.Args[1] == name {
			return p, nil
		}
	}
	return Process{}, fmt.Errorf("processes of %s: no %s in %v", node, name, all)
}

// Everything is all processes of the node but its process 1, whoever started them: those that are in its PID namespace.
func (l *Lab) Everything(node string) ([]Process, error) {
	first := l.machine(node).pid
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", first))
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", node, err)
	}
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, name := range names {
		id, _ := strconv.Atoi(filepath.Base(name))
		if namespace, err := os.Readlink(name + "/ns/pid"); err != nil || namespace != own || id == first {
			continue // ended, or another's
		}
		if line, err := os.ReadFile(name + "/cmdline"); err == nil && len(line) > 0 {
			all = append(all, Process{id, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
		}
	}
	return all, nil
}

// children lists those of each thread: any of a program's may have started them.
func children(of int) ([]Process, error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, name := range lists {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(text)) {
			id, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id)); err == nil && len(line) > 0 { // else it has ended
				all = append(all, Process{id, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
			}
		}
	}
	return all, nil
}

// Signal sends a signal (KILL, STOP, CONT) to all processes of the node's `cmd`, the one that was started first: nobody
// is left to start another.
func (l *Lab) Signal(node, signal string) error {
	_, err := l.signal(node, signal)
	return err
}

func (l *Lab) signal(node, signal string) ([]Process, error) {
	number := unix.SignalNum("SIG" + signal)
	if number == 0 {
		return nil, fmt.Errorf("signal %s: there is none of that name", signal)
	}
	all, err := l.Processes(node)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("signal %s to %s: its program does not run", signal, node)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if err := syscall.Kill(p.ID, number); err != nil && !errors.Is(err, syscall.ESRCH) {
			return nil, fmt.Errorf("signal %s to %v on %s: %w", signal, p.Args, node, err)
		}
	}
	return all, nil
}

// endTime is how long a killed program may take to be gone.
const endTime = 10 * time.Second

// Kill crashes what the node's `cmd` started, all its processes at once, and waits until they are gone.
func (l *Lab) Kill(node string) error {
	all, err := l.signal(node, "KILL")
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := p.Wait(); err != nil {
			return fmt.Errorf("kill what %s runs: %w", node, err)
		}
	}
	return nil
}

// Kill crashes this process alone and waits until it is gone.
func (p Process) Kill() error {
	if err := syscall.Kill(p.ID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %v: %w", p.Args, err)
	}
	return p.Wait()
}

// Wait returns when the process is gone, with all that it had open.
func (p Process) Wait() error {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(endTime); time.Now().Before(end); <-poll.C {
		if errors.Is(syscall.Kill(p.ID, 0), syscall.ESRCH) {
			return nil
		}
	}
	return fmt.Errorf("process %d, %v, is still there", p.ID, p.Args)
}
