//go:debug multipathtcp=0

// Command tesd is the hypervisor's daemon: it tells the edges what the VMs here do, over BGP EVPN, and what they answer.
package main

import (
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/config"
)

var program = daemon.Program[*config.TES]{
	Name:      control.TES,
	Short:     "Tell the network edges what the VMs of this hypervisor do",
	Load:      config.LoadTES,
	CheckHost: func(*config.TES) error { return nil }, // nothing of this machine is in the file
	Log:       func(c *config.TES) config.Log { return c.Log },
	Build:     build,
}

func main() { program.Main() }
