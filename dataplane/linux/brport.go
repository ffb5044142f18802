package linux

import (
	"context"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// portFlags are the flags of a bridge port (IFLA_BRPORT_*), each 0 or 1.
type portFlags map[uint16]uint8

// What a bridge port must be. The flooding of a VM port is opened and closed by its Port entry; as long as it is not locked, it is
// not ours yet and begins closed.
var (
	vxlanPort = portFlags{
		unix.IFLA_BRPORT_LEARNING:       0,
		unix.IFLA_BRPORT_NEIGH_SUPPRESS: 1,
	}
	vmPort = portFlags{
		unix.IFLA_BRPORT_LEARNING:      0,
		unix.IFLA_BRPORT_UNICAST_FLOOD: 0,
		unix.IFLA_BRPORT_LOCKED:        1,
	}
	closedPort = portFlags{
		unix.IFLA_BRPORT_BCAST_FLOOD: 0,
		unix.IFLA_BRPORT_MCAST_FLOOD: 0,
	}
	openPort = portFlags{
		unix.IFLA_BRPORT_BCAST_FLOOD: 1,
		unix.IFLA_BRPORT_MCAST_FLOOD: 1,
	}
)

// in reports whether all of p is in q.
func (p portFlags) in(q portFlags) bool {
	for k, v := range p {
		if w, ok := q[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// set is the request that gives a bridge port these flags.
func (p portFlags) set(link int) message {
	var info []byte
	for k, v := range p {
		info = attr8(info, k, v)
	}
	return message{unix.RTM_SETLINK, 0, attr(linkBody(unix.AF_BRIDGE, link), unix.IFLA_PROTINFO|unix.NLA_F_NESTED, info)}
}

// linkBody is a struct ifinfomsg: family (8 bits), padding, type (16), index (32), flags (32), change (32).
func linkBody(family uint8, link int) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint32(b[4:], uint32(link))
	return b
}

// bridgePorts lists the flags of all bridge ports by interface index.
func bridgePorts(ctx context.Context, c *conn) (map[int]portFlags, error) {
	list, err := c.dump(ctx, message{unix.RTM_GETLINK, 0, linkBody(unix.AF_BRIDGE, 0)})
	if err != nil {
		return nil, err
	}
	ports := make(map[int]portFlags)
	for _, b := range list {
		if len(b) < unix.SizeofIfInfomsg {
			continue
		}
		for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
			if kind != unix.IFLA_PROTINFO {
				continue
			}
			flags := make(portFlags)
			for k, v := range attributes(value) {
				if len(v) == 1 {
					flags[k] = v[0]
				}
			}
			ports[int(binary.NativeEndian.Uint32(b[4:]))] = flags
		}
	}
	return ports, nil
}
