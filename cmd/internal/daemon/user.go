package daemon

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// User is whom a process runs as.
type User struct {
	Name      string
	ID, Group int
}

// LookUp finds a user of this machine by name.
func LookUp(name string) (User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return User{}, fmt.Errorf("look up user %q: %w", name, err)
	}
	id, err := strconv.Atoi(u.Uid)
	if err != nil {
		return User{}, fmt.Errorf("user %q has the id %q, want a number", name, u.Uid)
	}
	group, err := strconv.Atoi(u.Gid)
	if err != nil {
		return User{}, fmt.Errorf("user %q has the group id %q, want a number", name, u.Gid)
	}
	return User{name, id, group}, nil
}

// Become gives up what the process may do beyond that user, for good. A process that is the user already changes nothing.
func (u User) Become() error {
	if os.Geteuid() == u.ID {
		return nil
	}
	// The groups first: the user that we become may not change them.
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("become user %s: leave all groups: %w", u.Name, err)
	}
	if err := syscall.Setresgid(u.Group, u.Group, u.Group); err != nil {
		return fmt.Errorf("become user %s: set the group %d: %w", u.Name, u.Group, err)
	}
	if err := syscall.Setresuid(u.ID, u.ID, u.ID); err != nil {
		return fmt.Errorf("become user %s: set the user %d: %w", u.Name, u.ID, err)
	}
	return nil
}
