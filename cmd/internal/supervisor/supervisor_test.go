package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

const patience = 20 * time.Second

// order is what a child of these tests is handed over.
type order struct {
	Socket string // where it tells what it does
	Bulk   string
	Behave string
}

// TestMain is also the children: this program again, with another command.
func TestMain(m *testing.M) {
	switch os.Args[1] {
	case "first", "second":
		if err := child(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case "supervise":
		supervise(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// child tells its test that it runs, and why it ends.
func child(name string) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	var o order
	p, err := Join(&o)
	if err != nil {
		return err
	}
	c, err := net.Dial("unix", o.Socket)
	if err != nil {
		return err
	}
	defer c.Close()
	say := func(what string) { fmt.Fprintf(c, "%s %s\n", name, what) }
	say(fmt.Sprintf("started %d", os.Getpid()))
	say(fmt.Sprintf("bulk %d", len(o.Bulk)))
	switch o.Behave {
	case "fails":
		return errors.New("it cannot start")
	case "explains":
		p.Failed(errors.New("there is no bridge"))
		return errors.New("it cannot start")
	case "waits":
		<-terminated
		say("terminated")
		return nil
	case "answers":
		p.AnswerWith(func(_ context.Context, q json.RawMessage) (any, error) {
			if string(q) == `"bad"` {
				return nil, errors.New("that is not known here")
			}
			return fmt.Sprintf("%d heard %s", os.Getpid(), q), nil
		})
	case "inherits":
		b := make([]byte, 16)
		n, err := p.File(1).Read(b)
		say(fmt.Sprintf("read %q %v", b[:n], err))
	}
	if err := p.Ready(); err != nil {
		return err
	}
	say("ready")
	if o.Behave == "asks" {
		for _, q := range []string{"good", "bad"} {
			var a string
			err := p.Ask(context.Background(), q, &a)
			say(fmt.Sprintf("was told %q %v", a, err))
		}
	}
	if o.Behave == "keeps" {
		say(fmt.Sprintf("kept %s", p.Kept()))
		for n := range 3 {
			if err := p.Keep(Keeping{1, map[string]int{"pid": os.Getpid(), "n": n}}); err != nil {
				return err
			}
		}
		say("told")
	}
	var grown []byte
	if o.Behave == "grows" {
		grown = make([]byte, 64<<20)
		for i := 0; i < len(grown); i += 4096 {
			grown[i] = 1
		}
	}
	select {
	case <-terminated:
		say("terminated")
	case <-p.Gone():
		say("orphaned")
	}
	_ = grown
	return nil
}

// supervise is a supervisor in a process of its own.
func supervise(socket string) {
	s := &Supervisor{Program: self(), Children: []Child{{Name: "first", Handover: order{Socket: socket}}}, Log: logrus.NewEntry(logrus.New())}
	if err := s.Run(context.Background()); err != nil {
		panic(err)
	}
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// stage hears what the children say.
type stage struct {
	t      *testing.T
	socket string
	said   chan string
	heard  []string // but not waited for yet
}

func newStage(t *testing.T) *stage {
	dir, err := os.MkdirTemp("", "supervisor")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &stage{t: t, socket: filepath.Join(dir, "s"), said: make(chan string, 100)}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for lines := bufio.NewScanner(c); lines.Scan(); {
					s.said <- lines.Text()
				}
			}()
		}
	}()
	return s
}

// hear waits for a line that begins so, and returns its rest.
func (s *stage) hear(begin string) string {
	s.t.Helper()
	for i, line := range s.heard {
		if rest, ok := strings.CutPrefix(line, begin); ok {
			s.heard = slices.Delete(s.heard, i, i+1)
			return strings.TrimSpace(rest)
		}
	}
	for end := time.After(patience); ; {
		select {
		case line := <-s.said:
			if rest, ok := strings.CutPrefix(line, begin); ok {
				return strings.TrimSpace(rest)
			}
			s.heard = append(s.heard, line)
		case <-end:
			s.t.Fatalf("no child said %q, but %q", begin, s.heard)
		}
	}
}

// pid is that of the next child of that name that starts.
func (s *stage) pid(name string) (pid int) {
	s.t.Helper()
	if _, err := fmt.Sscan(s.hear(name+" started"), &pid); err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// run supervises until the end of the test, or the function that it returns.
func (s *stage) run(children ...Child) (stop func() error, log *test.Hook) {
	_, stop, log = s.supervise(nil, children...)
	return stop, log
}

// supervise is run with answers for who asks.
func (s *stage) supervise(answer Answerer, children ...Child) (v *Supervisor, stop func() error, log *test.Hook) {
	logger, log := test.NewNullLogger()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	v = &Supervisor{Program: self(), Children: children, Log: logrus.NewEntry(logger), Answer: answer}
	go func() { done <- v.Run(ctx) }()
	stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	s.t.Cleanup(func() { _ = stop() })
	return v, stop, log
}

// gone reports whether a process has ended.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestChildrenAreKeptRunning(t *testing.T) {
	s := newStage(t)
	// What is handed over may be more than a socket holds at a time.
	stop, log := s.run(Child{Name: "first", Handover: order{Socket: s.socket, Bulk: strings.Repeat("x", 1<<20)}}, Child{Name: "second", Handover: order{Socket: s.socket}})
	first := s.pid("first")
	if n := s.hear("first bulk"); n != "1048576" {
		t.Errorf("the child was handed over %s octets", n)
	}
	second := s.pid("second")
	s.hear("second ready")
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := s.pid("second")
	if again == second || gone(first) {
		t.Errorf("second was %d, is %d; first is gone: %v", second, again, gone(first))
	}
	// The supervisor tells what happened.
	told := false
	for _, e := range log.AllEntries() {
		told = told || e.Level == logrus.ErrorLevel && e.Data["process"] == "second" && strings.Contains(fmt.Sprint(e.Data[logrus.ErrorKey]), "killed")
	}
	if !told {
		t.Errorf("no error is logged for a child that was killed: %v", log.AllEntries())
	}
	if err := stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	// The last one stops first.
	s.hear("second terminated")
	s.hear("first terminated")
	if !gone(first) || !gone(again) {
		t.Error("a child is left")
	}
}

func TestChildThatNeverWasReady(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v := &Supervisor{Program: self(), Log: logrus.NewEntry(logrus.New()), Children: []Child{
		{Name: "first", Handover: order{Socket: s.socket}}, {Name: "second", Handover: order{Socket: s.socket, Behave: "fails"}},
	}}
	err := v.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "second has ended before it was ready: exit status 1") {
		t.Errorf("%v, want that second did not start", err)
	}
	s.hear("first terminated")
}

func TestProgramThatIsNotThere(t *testing.T) {
	v := &Supervisor{Program: filepath.Join(t.TempDir(), "nothing"), Log: logrus.NewEntry(logrus.New()), Children: []Child{{Name: "first"}}}
	if err := v.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v, want that the program is not there", err)
	}
}

// A supervisor that is killed takes its children with it.
func TestSupervisorIsKilled(t *testing.T) {
	s := newStage(t)
	p, err := os.StartProcess(self(), []string{self(), "supervise", s.socket}, &os.ProcAttr{Files: []*os.File{nil, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	s.hear("first ready")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	s.hear("first orphaned")
}

func TestChildInheritsFiles(t *testing.T) {
	s := newStage(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	other, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := write.WriteString("inherited"); err != nil {
		t.Fatal(err)
	}
	write.Close()
	s.run(Child{Name: "first", Handover: order{Socket: s.socket, Behave: "inherits"}, Files: []*os.File{other, read}})
	if got := s.hear("first read"); got != `"inherited" <nil>` {
		t.Errorf("the child read %s", got)
	}
}

func TestChildThatGrowsIsReplaced(t *testing.T) {
	s := newStage(t)
	_, log := s.run(Child{Name: "first", Handover: order{Socket: s.socket, Behave: "grows"}, MemoryLimit: 48 << 20})
	before := s.pid("first")
	s.hear("first terminated")
	after := s.pid("first")
	if before == after {
		t.Error("the child was not replaced")
	}
	// Its successor is as large, and is left in peace: a limit that is too low must not end all work.
	weighed := 0
	for _, e := range log.AllEntries() {
		if e.Level == logrus.WarnLevel {
			weighed++
		}
	}
	if weighed != 1 {
		t.Errorf("%d warnings, want one", weighed)
	}
}

// A child that ends again and again while it starts must not cost a core, and must be there again before those who ask it something give up: that is after
// the 5 s of SPEC §3, of which a start of its own on a busy machine takes its part.
func TestPauses(t *testing.T) {
	const ms = time.Millisecond
	var got []time.Duration
	pause := time.Duration(0)
	for _, lived := range []time.Duration{time.Hour, 10 * ms, 10 * ms, 999 * ms, 10 * ms, 10 * ms, 10 * ms, 10 * ms, time.Second, 0} {
		pause = nextPause(pause, lived)
		got = append(got, pause)
	}
	want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second, time.Second, 0, 100 * ms}
	if !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
}

// What a child asks to keep its successor has, also if it is killed right after.
func TestChildLeavesSomething(t *testing.T) {
	s := newStage(t)
	s.run(Child{Name: "first", Handover: order{Socket: s.socket, Behave: "keeps"}, Keep: 4})
	var pids []int
	var want []string
	for range 3 {
		pids = append(pids, s.pid("first"))
		if got := s.hear("first kept"); got != "["+strings.Join(want[max(0, len(want)-4):], " ")+"]" {
			t.Errorf("kept is %s, want the last four of %v", got, want)
		}
		s.hear("first told")
		for n := range 3 {
			want = append(want, fmt.Sprintf(`{"n":%d,"pid":%d}`, n, pids[len(pids)-1]))
		}
		if err := syscall.Kill(pids[len(pids)-1], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// Of what counts as many, no more is kept than is needed for as much as was asked for.
func TestKeptIsCounted(t *testing.T) {
	r := ring{limit: 4}
	for i, test := range []struct {
		count int
		want  string
	}{{1, "[a]"}, {2, "[a b]"}, {1, "[a b c]"}, {1, "[b c d]"}, {1, "[b c d e]"}, {9, "[f]"}, {3, "[f g]"}, {1, "[g h]"}, {0, "[g h i]"}, {0, "[g h i j]"}, {0, "[h i j k]"}} {
		r.add(counted{test.count, json.RawMessage{byte('a' + i)}})
		if got := fmt.Sprintf("%s", r.all()); got != test.want {
			t.Errorf("kept is %s, want %s", got, test.want)
		}
	}
}

// A process that a person starts by hand says so.
func TestWithoutSupervisor(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	p, err := os.StartProcess(self(), []string{self(), "first"}, &os.ProcAttr{Files: []*os.File{nil, nil, write, null}})
	if err != nil {
		t.Fatal(err)
	}
	write.Close()
	line, _ := bufio.NewReader(read).ReadString('\n')
	if state, err := p.Wait(); err != nil || state.ExitCode() != 1 || !strings.Contains(line, ErrNoParent.Error()) {
		t.Errorf("%v, %v: %q", state, err, line)
	}
}
