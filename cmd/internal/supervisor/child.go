package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Child is a process of the daemon.
type Child struct {
	Name        string     // its command, such as "engine"
	Handover    any        // what it is told, as JSON
	Files       []*os.File // what it inherits, from descriptor 4 on
	MemoryLimit int64      // octets of resident memory above which it is replaced; 0: none
	Keep        int        // of what it asks to keep the next is handed the newest, as much as counts for so many

	NoNewPrivileges bool // no program that it executes gets more privileges than it has
}

// joined is the descriptor of a child's end of the socket.
const joined = 3

// stopTime is how long a child may take to stop before it is killed.
const stopTime = 12 * time.Second

// process is one run of a child.
type process struct {
	command *exec.Cmd
	*line
	kept    *ring
	ready   chan struct{} // closed when it says so
	ended   chan struct{} // closed when it has ended
	status  error         // why, once ended
	failure string        // what it said of that; once ended
}

// start starts a child in a process group of its own, so that a signal of the terminal is the supervisor's to pass on.
func start(program string, c Child, kept *ring, answer Answerer) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer theirs.Close()
	p := &process{command: exec.Command(program, c.Name), line: newLine(ours), kept: kept, ready: make(chan struct{}), ended: make(chan struct{})}
	p.answerWith(answer)
	p.command.Stdout, p.command.Stderr = os.Stdout, os.Stderr
	p.command.ExtraFiles = append([]*os.File{theirs}, c.Files...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.launch(c.NoNewPrivileges); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.talk(c.Handover)
	}()
	go func() {
		p.status = p.command.Wait()
		<-told // its last words count
		ours.Close()
		close(p.ended)
	}()
	return p, nil
}

// launch forks. "No new privileges" belongs to a thread, which its children inherit: so the thread that forks has it, and ends after that.
func (p *process) launch(noNewPrivileges bool) error {
	if !noNewPrivileges {
		return p.command.Start()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- fmt.Errorf("give up new privileges: %w", err)
			return
		}
		done <- p.command.Start()
	}()
	return <-done
}

// talk hands over and hears the child until it ends. What fails here ends the child, which then tells why.
func (p *process) talk(handover any) {
	defer p.end()
	defer p.conn.Close()
	h, err := json.Marshal(handover)
	if err == nil {
		err = p.say(message{Handover: h, Kept: p.kept.all()})
	}
	said := json.NewDecoder(p.conn)
	for ready := false; err == nil; {
		var m message
		if err = said.Decode(&m); err != nil {
			return
		}
		if m.Keep != nil {
			p.kept.add(counted{m.Count, m.Keep})
		}
		if m.Failure != "" {
			p.failure = m.Failure
		}
		if m.Ready && !ready {
			ready = true
			close(p.ready)
		}
		p.heard(m)
	}
}

// stop ends the process and waits until it has: with SIGTERM, and with SIGKILL if that takes too long.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// reason is why it ended, for people.
func (p *process) reason() error {
	if p.failure != "" {
		return errors.New(p.failure)
	}
	if p.status == nil {
		return errors.New("it stopped by itself")
	}
	return p.status
}

// socketPair is a connection and the file of its other end.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "parent")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	return conn, theirs, nil
}
