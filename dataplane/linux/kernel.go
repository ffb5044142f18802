package linux

import (
	"context"
	"fmt"
	"sync"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
	"github.com/tns-project/tns/dataplane/linux/tag"
	"github.com/tns-project/tns/dataplane/linux/tc"
)

// Options of a Kernel. The zero value is good.
type Options struct {
	// Namespace is the network namespace to work in; nil: that of the calling thread. It may be closed after New.
	Namespace *netns.NsHandle
	// Log takes what an operator should know and no error can carry; nil: the standard logger.
	Log logrus.FieldLogger
}

// Kernel is the dataplane.Kernel of Linux in one network namespace. It is safe for concurrent use; changes wait for each
// other.
//
// It starts one goroutine, which reads the kernel's notifications until Close.
type Kernel struct {
	ns    netns.NsHandle // our own
	log   logrus.FieldLogger
	links *netlink.Handle
	conn  *conn
	watch *watcher

	mu       sync.Mutex
	wanted   []dataplane.Network
	networks map[dataplane.VNI]*network
	logged   string         // the last error of the devices
	table    *nft.Table     // nil: this kernel has no nftables for it
	filtered map[string]int // the devices that had chains in the last pass, with their indexes
	policies policies
	plans    [2]plan // of an Apply: one is made, one is written
	ring     [3]plan // of a Stream: there is always one that the writer has next
	limiter  *tc.Limiter
	shaper   *tc.Shaper
	taggers  map[dataplane.Mode]tag.Tagger
}

var _ dataplane.Kernel = (*Kernel)(nil)

// network is a dataplane.Network with what its devices are in the kernel: interface indexes, 0 where there is no usable device.
type network struct {
	dataplane.Network
	sharing bool // it is VLANAware
	bridge  int
	vxlan   int
	vlan    uint16                   // in a bridge that it shares; 0: the bridge is its own
	svi     int                      // the VLAN's device on such a bridge
	ports   map[string]int           // bridge ports, by the name of the member port
	tagged  map[string]string        // the bridge ports of the tagged ones; empty where there is none
	own     map[dataplane.MAC]string // the devices' own addresses, which are no VM's
	sources []string                 // devices, once all ports are known
}

// device names the bridge port that a member port is in the VN: the port itself, or what stands for it where frames are tagged. Its index is ports[port].
func (n *network) device(port string) string {
	if d, ok := n.tagged[port]; ok {
		return d
	}
	return port
}

// neighbors is the device that has the network's neighbours.
func (n *network) neighbors() int {
	if n.shared() {
		return n.svi
	}
	return n.bridge
}

// opening lets broadcasts and multicasts out of a port, or nothing. On a trunk of a shared bridge it is the VLAN that is opened, for all frames.
func (n *network) opening(port string, open bool) message {
	switch {
	case n.trunk(port):
		return vlanForwarding(n.ports[port], n.vlan, open)
	case open:
		return openPort.set(n.ports[port])
	}
	return closedPort.set(n.ports[port])
}

// devices is the bridge ports that there are and are the network's alone.
func (n *network) devices() []string {
	all := make([]string, 0, len(n.ports))
	for p := range n.ports {
		if n.trunk(p) {
			continue
		}
		all = append(all, n.device(p))
	}
	return all
}

// New opens the sockets. It changes nothing.
func New(o Options) (*Kernel, error) {
	ns, err := namespace(o.Namespace)
	if err != nil {
		return nil, err
	}
	k := &Kernel{ns: ns, log: o.Log, networks: make(map[dataplane.VNI]*network), policies: newPolicies()}
	if k.log == nil {
		k.log = logrus.StandardLogger()
	}
	if err := k.open(); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

func (k *Kernel) open() (err error) {
	if k.conn, err = dial(k.ns); err != nil {
		return err
	}
	if k.links, err = netlink.NewHandleAt(k.ns, unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("open a netlink socket for devices: %w", err)
	}
	k.taggers = tag.Taggers(k.links)
	k.limiter, k.shaper = tc.NewLimiter(k.links), tc.NewShaper(k.links, nft.MarkOf(0))
	if k.watch, err = newWatcher(k.ns, k.conn); err != nil {
		return err
	}
	if k.watch.loud != nil {
		k.log.WithError(k.watch.loud).Info("the kernel tells of our own writes, too: entries take more time")
	}
	if k.table, err = nft.Open(k.ns); err != nil {
		k.withoutTable(err)
	}
	return nil
}

// namespace is a handle of our own for a network namespace.
func namespace(given *netns.NsHandle) (netns.NsHandle, error) {
	if given == nil {
		ns, err := netns.Get()
		if err != nil {
			return ns, fmt.Errorf("open the current network namespace: %w", err)
		}
		return ns, nil
	}
	fd, err := unix.FcntlInt(uintptr(*given), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return netns.None(), fmt.Errorf("open the given network namespace: %w", err)
	}
	return netns.NsHandle(fd), nil
}

// Close ends the goroutine and closes the sockets. What the kernel holds stays.
func (k *Kernel) Close() {
	if k.watch != nil {
		k.watch.close()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.taggers {
		t.Close()
	}
	if k.limiter != nil {
		k.limiter.Close()
	}
	if k.conn != nil {
		k.conn.close()
	}
	if k.links != nil {
		k.links.Close()
	}
	if k.table != nil {
		k.table.Close()
		k.table = nil
	}
	k.ns.Close()
}

// withoutTable goes on with locked ports alone.
func (k *Kernel) withoutTable(err error) {
	k.log.WithError(err).Warn("nftables unavailable: no policies, drops are not counted, locked bridge ports still drop foreign sources")
	if k.table != nil {
		k.table.Close()
		k.table = nil
	}
}

// Changes signals foreign changes of our devices and entries, and overruns of the notification socket. What we do ourselves gives
// no signal.
func (k *Kernel) Changes() <-chan struct{} { return k.watch.changes }

// Drops is, per Port key, the frames dropped because their source is not active there or an address in them is not the VM's, since the port was first given to
// Ensure; the count outlives a restart. Without nftables it is an error. Under the Tag key of a tagged port, without VNI, it is the frames that bore no
// tag or a VID of no VN.
func (k *Kernel) Drops(ctx context.Context) (map[dataplane.Key]uint64, error) {
	keys := make(map[string]dataplane.Key) // by bridge port
	k.mu.Lock()
	table := k.table
	for _, n := range k.networks {
		for _, p := range n.Ports {
			keys[n.device(p.Name)] = dataplane.Key{Kind: dataplane.Port, VNI: n.VNI, Port: p.Name}
		}
	}
	k.mu.Unlock()
	if table == nil {
		return nil, fmt.Errorf("count drops: nftables is not available: %w", unix.EOPNOTSUPP)
	}
	counted, err := table.Drops()
	if err != nil {
		return nil, err
	}
	drops := make(map[dataplane.Key]uint64, len(counted))
	for device, n := range counted {
		if key, ours := keys[device]; ours {
			drops[key] = n
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.taggers {
		counted, err := t.Drops()
		if err != nil {
			return nil, err
		}
		for port, n := range counted {
			drops[dataplane.Key{Kind: dataplane.Tag, Port: port}] = n
		}
	}
	return drops, nil
}
