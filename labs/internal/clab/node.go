package clab

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tns-project/tns/labs/internal/netns"
)

//go:embed init.sh
var initScript string

// machine is a deployed node: its network namespace and its process 1.
type machine struct {
	name  string
	dir   string // files of the node on the machine: pid, start, logs; /run/lab inside
	netns *netns.Namespace
	pid   int
	init  *exec.Cmd      // nil when another process deployed it
	life  io.WriteCloser // closing it ends a node that lives as long as its deployer
}

// boot starts process 1 and waits until the node is made.
func (m *machine) boot(binds []bind, detached bool) error {
	args := []string{"-c", initScript, "init"}
	for _, b := range binds {
		args = append(args, b.source, b.target)
	}
	m.init = exec.Command("/bin/sh", args...)
	life := "stdin"
	if detached {
		life = "forever"
	} else {
		var err error
		if m.life, err = m.init.StdinPipe(); err != nil {
			return err
		}
	}
	m.init.Env = append(os.Environ(), "NODE="+m.name, "DIRECTORY="+m.dir, "LIFE="+life)
	m.init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Setsid:     true,
	}
	stdout, err := m.init.StdoutPipe()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(m.dir, "init.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	m.init.Stderr = log
	if err := m.netns.Do(m.init.Start); err != nil {
		return fmt.Errorf("boot %s: %w", m.name, err)
	}
	m.pid = m.init.Process.Pid
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		why, _ := os.ReadFile(log.Name())
		return fmt.Errorf("boot %s: %s", m.name, strings.TrimSpace(string(why)))
	}
	return os.WriteFile(filepath.Join(m.dir, "pid"), []byte(strconv.Itoa(m.pid)+"\n"), 0o644)
}

// command is a command that will run inside the node.
func (m *machine) command(argv ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-n", "-p", "--"}, argv...)...)
}

// run runs a shell command inside the node; its output is part of the error.
func (m *machine) run(command string) error {
	output, err := m.command("/bin/sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("on %s: %s: %w: %s", m.name, command, err, strings.TrimSpace(string(output)))
	}
	return nil
}

// halt ends process 1 and with it every process of the node, then removes the network namespace.
func (m *machine) halt() error {
	var problems []error
	switch {
	case m.init != nil && m.init.Process != nil:
		m.init.Process.Kill()
		m.init.Wait()
		if m.life != nil {
			m.life.Close()
		}
	case m.pid != 0:
		if err := endInit(m.pid, m.name); err != nil {
			problems = append(problems, err)
		}
	}
	if m.netns != nil {
		problems = append(problems, m.netns.Delete())
	}
	return errors.Join(problems...)
}

// endInit ends a process 1 that another run of this program started, if pid still is one of a node of that name.
func endInit(pid int, node string) error {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || !strings.Contains("\x00"+string(environ), "\x00NODE="+node+"\x00") {
		return nil // gone, or the number is someone else's by now
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s (process %d): %w", node, pid, err)
	}
	return nil
}
