//go:debug multipathtcp=0

// Command nved is the daemon of a network virtualization edge: it does what hypervisors ask for over BGP EVPN, makes the kernel forward, and tells
// the other edges. It is three processes:
//
//	nved                 reads the configuration, starts the other two and starts them again (supervise.go)
//	 ├─ nved guard       has the sessions with all peers, and no privilege (guard.go)
//	 └─ nved engine      has GoBGP, the edge, the kernel, and what people ask (engine.go)
package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/cmd/internal/daemon"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane/linux"
)

// configured is the configuration, and what it was read from, which the other processes get.
type configured struct {
	source *config.NVESource
	*config.NVE
}

var program = daemon.Program[configured]{
	Name:  control.NVE,
	Short: "Serve the VMs behind this network virtualization edge",
	Load: func(file string) (configured, error) {
		source, c, err := config.ReadNVE(file)
		return configured{source, c}, err
	},
	CheckHost: func(c configured) error {
		return errors.Join(c.NVE.CheckHost(), checkModes(context.Background(), c.NVE, linux.TryModes))
	},
	Log:   func(c configured) config.Log { return c.NVE.Log },
	Build: supervise,
	Processes: func(errs io.Writer) []*cobra.Command {
		return []*cobra.Command{
			daemon.Process[handover]{Name: guardProcess, Short: "Keep the sessions with the peers", Log: handover.log, Build: buildGuard}.Command(control.NVE, errs),
			daemon.Process[handover]{Name: engineProcess, Short: "Rule the edge", Log: handover.log, Build: buildEngine}.Command(control.NVE, errs),
		}
	},
}

func main() { program.Main() }
