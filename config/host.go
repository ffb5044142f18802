package config

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"strings"
)

// CheckHost checks what the file says against this machine: that each port exists, and the guard's user. The error joins all problems. Of a file with errors it checks
// what could be read, which is nothing for a nil NVE.
func (n *NVE) CheckHost() error {
	if n == nil {
		return nil
	}
	c := &checker{}
	for i, p := range n.Ports {
		if p.Name == "" { // the file's error
			continue
		}
		if _, err := net.InterfaceByName(p.Name); err != nil {
			c.report(join(index("ports", i), "port"), &p.Name, "no such device on this machine", deviceNames())
		}
	}
	if name := n.Guard.User; name != "" {
		_, err := user.Lookup(name)
		if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
			c.report("guard.user", &name, "no such user on this machine", "want a user without rights, such as nobody")
		} else if err != nil {
			c.report("guard.user", &name, err.Error(), "want a user of this machine")
		}
	}
	return c.err(nil)
}

// deviceNames says which devices this machine has.
func deviceNames() string {
	devices, err := net.Interfaces()
	if err != nil {
		return fmt.Sprintf("its devices could not be listed: %v", err)
	}
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
	}
	return "want one of " + strings.Join(names, ", ")
}
