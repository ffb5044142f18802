package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// Parent is the supervisor, as a child sees it. Its methods are safe for concurrent use.
type Parent struct {
	kept []json.RawMessage
	gone chan struct{}

	mu     sync.Mutex // of writing
	socket net.Conn
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
	err = json.NewDecoder(socket).Decode(&m)
	if err == nil {
		err = json.Unmarshal(m.Handover, handover)
	}
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("read what the supervisor hands over: %w", err)
	}
	p := &Parent{kept: m.Kept, socket: socket, gone: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, socket) // it says no more, so this is its end
		close(p.gone)
	}()
	return p, nil
}

// Gone is closed when the supervisor has ended.
func (p *Parent) Gone() <-chan struct{} { return p.gone }

// Ready tells the supervisor that the process does its work. Calling it again does nothing more.
func (p *Parent) Ready() error { return p.say(message{Ready: true}) }

// Keep gives the supervisor something for the next process of this name, as JSON. How much it keeps is Child.Keep.
func (p *Parent) Keep(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return p.say(message{Keep: b})
}

// Kept is what processes of this name before have asked to keep, the oldest first.
func (p *Parent) Kept() []json.RawMessage { return p.kept }

// File is a file that the child inherits, by its place in Child.Files.
func (p *Parent) File(n int) *os.File {
	return os.NewFile(uintptr(joined+1+n), fmt.Sprintf("inherited %d", n))
}

func (p *Parent) say(m message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.NewEncoder(p.socket).Encode(m); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return nil
}
