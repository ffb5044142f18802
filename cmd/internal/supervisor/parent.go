package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// answer is what a child says.
type answer struct {
	Ready bool `json:"ready"`
}

// Parent is the supervisor, as a child sees it.
type Parent struct {
	socket net.Conn
	gone   chan struct{}
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
	decoder := json.NewDecoder(socket)
	if err := decoder.Decode(handover); err != nil {
		socket.Close()
		return nil, fmt.Errorf("read what the supervisor hands over: %w", err)
	}
	p := &Parent{socket: socket, gone: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, socket) // it says no more, so this is its end
		close(p.gone)
	}()
	return p, nil
}

// Gone is closed when the supervisor has ended.
func (p *Parent) Gone() <-chan struct{} { return p.gone }

// Ready tells the supervisor that the process does its work. Calling it again does nothing more.
func (p *Parent) Ready() error {
	if err := json.NewEncoder(p.socket).Encode(answer{Ready: true}); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return nil
}

// File is a file that the child inherits, by its place in Child.Files.
func (p *Parent) File(n int) *os.File {
	return os.NewFile(uintptr(joined+1+n), fmt.Sprintf("inherited %d", n))
}
