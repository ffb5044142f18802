package clab

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// frrDirectory is where FRR's packages put the daemons.
const frrDirectory = "/usr/lib/frr"

// HasFRR tells whether FRR's daemons are installed on this machine.
func HasFRR() bool {
	_, err := os.Stat(frrDirectory + "/bgpd")
	return err == nil
}

// NeedsFRR tells whether a node runs FRR.
func (t *Topology) NeedsFRR() bool {
	for _, n := range t.Nodes {
		if n.runsFRR() {
			return true
		}
	}
	return false
}

// runsFRR goes by the image's name, whatever registry it comes from.
func (n Node) runsFRR() bool {
	repository, _, _ := strings.Cut(path.Base(n.Image), ":")
	return n.Cmd == "" && repository == "frr"
}

// startFRR does what the entry point of an FRR image does.
const startFRR = `. /etc/frr/daemons
install -d -m 755 -o frr -g frr /run/frr
for d in zebra bgpd; do
	[ "$d" = zebra ] || [ "$bgpd" = yes ] || continue
	/usr/lib/frr/$d -d -F traditional -A 127.0.0.1 -s 90000000 --log file:/run/frr/$d.log
done
vtysh -b
`

// startCommand runs one program in the background, its output in a log beside its process number.
const startCommand = `%s </dev/null >>/run/lab/%[2]s.log 2>&1 &
echo $! >/run/lab/%[2]s.pid
`

// startScript is the shell script that starts what a node runs; it can be run again when that has ended.
func startScript(n Node, binaries string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "#!/bin/sh\nexport PATH=%s:$PATH\n", binaries)
	for k, v := range n.Env {
		fmt.Fprintf(&s, "export %s='%s'\n", k, v)
	}
	switch {
	case n.Cmd != "":
		fmt.Fprintf(&s, startCommand, n.Cmd, path.Base(strings.Fields(n.Cmd)[0]))
	case n.runsFRR():
		s.WriteString(startFRR)
	}
	return s.String()
}
