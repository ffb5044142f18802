package clab

import (
	"fmt"
	"path"
	"strings"
)

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
	repository, _, _ := strings.Cut(path.Base(n.Image), ":")
	switch {
	case n.Cmd != "":
		fmt.Fprintf(&s, startCommand, n.Cmd, path.Base(strings.Fields(n.Cmd)[0]))
	case repository == "frr":
		s.WriteString(startFRR)
	}
	return s.String()
}
