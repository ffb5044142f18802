package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
)

// directory is where iproute2 keeps the names.
const directory = "/run/netns"

// Namespace is a named network namespace. Its methods may be called by several goroutines.
type Namespace struct {
	name   string
	handle vnetns.NsHandle
}

// Create makes the namespace; a name that is taken is an error.
func Create(name string) (*Namespace, error) {
	if _, err := os.Lstat(directory + "/" + name); err == nil {
		return nil, fmt.Errorf("create namespace %s: it exists already", name)
	}
	n := &Namespace{name: name, handle: vnetns.None()}
	err := onOwnThread(func() error {
		handle, err := vnetns.NewNamed(name)
		n.handle = handle
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create namespace %s: %w", name, err)
	}
	return n, nil
}

// Open finds a namespace by its name.
func Open(name string) (*Namespace, error) {
	handle, err := vnetns.GetFromName(name)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	return &Namespace{name: name, handle: handle}, nil
}

// Name is the name that `ip netns` shows.
func (n *Namespace) Name() string { return n.name }

// Do runs f on a thread that is in the namespace. Processes that f starts and sockets that it opens stay there.
func (n *Namespace) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := vnetns.Set(n.handle); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.name, err)
		}
		return f()
	})
}

// Netlink opens a netlink handle in the namespace; the caller closes it.
func (n *Namespace) Netlink() (*netlink.Handle, error) {
	handle, err := netlink.NewHandleAt(n.handle)
	if err != nil {
		return nil, fmt.Errorf("open netlink in %s: %w", n.name, err)
	}
	return handle, nil
}

// Close lets go of the namespace without deleting it.
func (n *Namespace) Close() error { return n.handle.Close() }

// Delete removes the name, and with it (once the last process has left) all that is inside.
func (n *Namespace) Delete() error {
	return errors.Join(n.handle.Close(), Remove(n.name))
}

// Remove deletes a namespace by name; one that is gone is success.
func Remove(name string) error {
	err := vnetns.DeleteNamed(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return nil
}

// Names lists the namespaces whose names begin with prefix.
func Names(prefix string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// onOwnThread runs f on a thread of its own. The thread may change its namespace: it is never unlocked, so the
// runtime ends it with the goroutine.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}
