//go:debug multipathtcp=0

// Command nved is the daemon of a network virtualization edge: it does what hypervisors ask for over BGP EVPN, makes the kernel forward, and tells
// the other edges.
package main

import (
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/config"
)

var program = daemon.Program[*config.NVE]{
	Name:      control.NVE,
	Short:     "Serve the VMs behind this network virtualization edge",
	Load:      config.LoadNVE,
	CheckHost: (*config.NVE).CheckHost,
	Log:       func(c *config.NVE) config.Log { return c.Log },
	Build:     build,
}

func main() { program.Main() }
