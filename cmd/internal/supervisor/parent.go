package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
)

// Parent is the supervisor, as a child sees it. Its methods are safe for concurrent use.
type Parent struct {
	*line
	kept []json.RawMessage
}

// ErrNoParent is returned to a process that no supervisor has started.
var ErrNoParent = errors.New("it is started by its daemon, not by hand")

// Join reads what the supervisor hands over. The error is ErrNoParent if there is none.
func Join(handover any) (*Parent, error) {
	file := os.NewFile(joined, "parent")
	if file == nil {
		return nil, ErrNoParent
	}
	defer file.Close()
	socket, err := net.FileConn(file)
	if err != nil {
		return nil, ErrNoParent
	}
	var m message
	said := json.NewDecoder(socket)
	err = said.Decode(&m)
	if err == nil {
		err = json.Unmarshal(m.Handover, handover)
	}
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("read what the supervisor hands over: %w", err)
	}
	p := &Parent{line: newLine(socket), kept: m.Kept}
	go func() {
		defer p.end()
		for {
			var m message
			if said.Decode(&m) != nil {
				return // its end
			}
			p.heard(m)
		}
	}()
	return p, nil
}

// Gone is closed when the supervisor has ended.
func (p *Parent) Gone() <-chan struct{} { return p.gone.Done() }

// Ask asks the supervisor something (Supervisor.Answer) and waits for the answer.
func (p *Parent) Ask(ctx context.Context, question, answer any) error {
	if err := p.ask(ctx, question, answer); err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	return nil
}

// AnswerWith has the supervisor's questions answered, which are refused before.
func (p *Parent) AnswerWith(f Answerer) { p.answerWith(f) }

// Ready tells the supervisor that the process does its work. Calling it again does nothing more.
func (p *Parent) Ready() error { return p.tell(message{Ready: true}) }

// Failed tells the supervisor why the process is about to end.
func (p *Parent) Failed(err error) { _ = p.say(message{Failure: err.Error()}) } // a supervisor that is gone need not know

// Keeping is something for the next process of this name, as JSON, which counts as so many.
type Keeping struct {
	Count int
	Value any
}

// Keep gives the supervisor things for the next process of this name, in one write. How much it keeps is Child.Keep.
func (p *Parent) Keep(all ...Keeping) error {
	messages := make([]message, len(all))
	for i, k := range all {
		b, err := json.Marshal(k.Value)
		if err != nil {
			return fmt.Errorf("tell the supervisor: %w", err)
		}
		messages[i].Keep, messages[i].Count = b, k.Count
	}
	return p.tell(messages...)
}

// Kept is what processes of this name before have asked to keep, the oldest first.
func (p *Parent) Kept() []json.RawMessage { return p.kept }

// File is a file that the child inherits, by its place in Child.Files.
func (p *Parent) File(n int) *os.File {
	return os.NewFile(uintptr(joined+1+n), fmt.Sprintf("inherited %d", n))
}

func (p *Parent) tell(messages ...message) error {
	if err := p.say(messages...); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return nil
}
