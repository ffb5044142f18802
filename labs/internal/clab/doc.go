// Package clab deploys a containerlab topology file in network namespaces: no container engine, no images, up in a
// second or two.
//
// The files are containerlab's own (https://containerlab.dev, "Topology definition"), a subset: nodes of kind linux
// with image, cmd, binds, exec and env; links given by two endpoints. A node here is a process 1 in network, mount, PID and
// UTS namespaces of its own, over the file system of the machine, with private /run, /etc and /var/lib. So each node
// has its /etc/tns, /run/tns, /etc/frr, its host name and its process numbers, and ending process 1 ends all of it.
//
// The order of a deployment is: namespaces, links, `exec` of every node, then what the node runs: an FRR image runs the
// daemons that its /etc/frr/daemons names, any other image its `cmd`. (containerlab runs `exec` last; the commands of
// our files do not depend on it.)
package clab
