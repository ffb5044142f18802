package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	nfnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// sources keeps our nftables table. Per VM port it has a set of the source addresses that are active there and a chain
// before the bridge; per bridge without addresses a chain that keeps frames from the edge itself:
//
//	table netdev tns {
//		set eth1 { type ether_addr; elements = { 02:00:00:00:00:01 } }
//		chain eth1 {
//			type filter hook ingress device "eth1" priority -300; policy accept;
//			ether saddr != @eth1 counter drop
//		}
//		chain br10100 { type filter hook ingress device "br10100" priority -300; policy drop; }
//	}
//
// A locked bridge port drops the same frames, but does not count them.
type sources struct {
	ns netns.NsHandle

	mu      sync.Mutex
	conn    *nftables.Conn
	members map[string]map[dataplane.MAC]bool // by port
}

const (
	tableName = "tns"

	// elementsPerMessage keeps the list of elements below the 64 KiB of an attribute.
	elementsPerMessage = 1000

	// nftBuffer holds a large transaction and its acknowledgements.
	nftBuffer = 32 << 20
)

// source is an address that is active on a port.
type source struct {
	port string // the bridge port
	mac  dataplane.MAC
}

func newSources(ns netns.NsHandle) (*sources, error) {
	s := &sources{ns: ns, members: make(map[string]map[dataplane.MAC]bool)}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *sources) open() (err error) {
	s.conn, err = nftables.New(nftables.AsLasting(), nftables.WithNetNSFd(int(s.ns)), nftables.WithSockOptions(func(c *nfnetlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(nftBuffer), c.SetReadBuffer(nftBuffer))
	}))
	if err != nil {
		return fmt.Errorf("open an nftables socket: %w", err)
	}
	return nil
}

func (s *sources) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.CloseLasting()
}

// flush sends what was prepared as one transaction. After a failure the socket may hold answers that nobody waits for, so
// it is opened anew.
func (s *sources) flush() error {
	if err := s.conn.Flush(); err != nil {
		return errors.Join(err, s.reopen())
	}
	return nil
}

// reopen forgets what was prepared, and what the socket may still hold.
func (s *sources) reopen() error {
	s.conn.CloseLasting()
	return s.open()
}

func ourTable() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyNetdev}
}

func sourceSet(port string) *nftables.Set {
	return &nftables.Set{Table: ourTable(), Name: port, KeyType: nftables.TypeEtherAddr}
}

func ingressChain(device string, policy nftables.ChainPolicy) *nftables.Chain {
	return &nftables.Chain{
		Table: ourTable(), Name: device, Device: device, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookIngress, Priority: nftables.ChainPriorityRaw, Policy: &policy,
	}
}

// sourceRule is `ether saddr != @port counter drop`.
func sourceRule(port string) *nftables.Rule {
	const sourceOffset, macLength = 6, 6
	ethernet := binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_ETHER)
	return &nftables.Rule{Table: ourTable(), Chain: &nftables.Chain{Name: port}, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: 1}, // nft does the same before `ether`, and needs it to print that
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: ethernet},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseLLHeader, Offset: sourceOffset, Len: macLength},
		&expr.Lookup{SourceRegister: 1, SetName: port, Invert: true},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}}
}

// ensure makes the chains and sets of the ports and bridges, removes those of others, and learns the sets' members. What
// is there and right stays, with its counters. A set that is made begins with what active returns, so that a table that somebody
// flushed comes back without a frame of an active VM being dropped.
func (s *sources) ensure(ports, bridges []string, active func(port string) ([]dataplane.MAC, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	chains, err := s.chains()
	if err != nil {
		return err
	}
	right := make(map[string]bool)
	for device, policy := range chains {
		_, hasSet := s.members[device]
		switch {
		case slices.Contains(ports, device):
			right[device] = policy == nftables.ChainPolicyAccept && hasSet && s.filters(device)
		case slices.Contains(bridges, device):
			right[device] = policy == nftables.ChainPolicyDrop && !hasSet
		}
	}
	changes := s.removeWrong(chains, right)
	for _, device := range slices.Concat(ports, bridges) {
		if right[device] {
			continue
		}
		if changes++; changes == 1 {
			s.conn.AddTable(ourTable())
		}
		if slices.Contains(bridges, device) {
			s.conn.AddChain(ingressChain(device, nftables.ChainPolicyDrop))
			continue
		}
		macs, err := active(device)
		if err != nil {
			return errors.Join(err, s.reopen())
		}
		if err := s.addSet(device, macs); err != nil {
			return errors.Join(fmt.Errorf("make nftables set %s: %w", device, err), s.reopen())
		}
		s.conn.AddChain(ingressChain(device, nftables.ChainPolicyAccept))
		s.conn.AddRule(sourceRule(device))
	}
	if changes == 0 {
		return nil
	}
	if err := s.flush(); err != nil {
		return fmt.Errorf("change nftables table %s: %w", tableName, err)
	}
	return nil
}

// addSet prepares a port's set with its first members.
func (s *sources) addSet(port string, macs []dataplane.MAC) error {
	if err := s.conn.AddSet(sourceSet(port), nil); err != nil {
		return err
	}
	s.members[port] = make(map[dataplane.MAC]bool)
	var elements []nftables.SetElement
	for _, mac := range macs {
		s.members[port][mac] = true
		elements = append(elements, nftables.SetElement{Key: mac[:]})
	}
	for chunk := range slices.Chunk(elements, elementsPerMessage) {
		if err := s.conn.SetAddElements(sourceSet(port), chunk); err != nil {
			return err
		}
	}
	return nil
}

// removeWrong prepares the removal of chains and sets that are not right, and counts their devices.
func (s *sources) removeWrong(chains map[string]nftables.ChainPolicy, right map[string]bool) (removed int) {
	for device := range chains {
		if !right[device] {
			s.conn.DelChain(&nftables.Chain{Table: ourTable(), Name: device})
			removed++
		}
	}
	for device := range s.members {
		if !right[device] {
			s.conn.DelSet(sourceSet(device))
			delete(s.members, device)
			removed++
		}
	}
	return removed
}

// noPolicy stands for the policy of a chain that no hook calls.
const noPolicy = ^nftables.ChainPolicy(0)

// chains is the policies of our table's chains.
func (s *sources) chains() (map[string]nftables.ChainPolicy, error) {
	all, err := s.conn.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	chains := make(map[string]nftables.ChainPolicy)
	for _, c := range all {
		if c.Table.Name != tableName {
			continue
		}
		chains[c.Name] = noPolicy
		if c.Policy != nil {
			chains[c.Name] = *c.Policy
		}
	}
	return chains, nil
}

// filters reports whether a port's chain holds our rule and nothing else.
func (s *sources) filters(port string) bool {
	rules, err := s.conn.GetRules(ourTable(), &nftables.Chain{Name: port})
	if err != nil || len(rules) != 1 {
		return false
	}
	for _, e := range rules[0].Exprs {
		if l, ok := e.(*expr.Lookup); ok && l.SetName == port && l.Invert {
			return true
		}
	}
	return false
}

// load reads the members of all sets of our table.
func (s *sources) load() error {
	clear(s.members)
	tables, err := s.conn.ListTablesOfFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return fmt.Errorf("list nftables tables: %w", err)
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName }) {
		return nil
	}
	sets, err := s.conn.GetSets(ourTable())
	if err != nil {
		return fmt.Errorf("list nftables sets of %s: %w", tableName, err)
	}
	for _, set := range sets {
		elements, err := s.conn.GetSetElements(set)
		if err != nil {
			return fmt.Errorf("list nftables set %s of %s: %w", set.Name, tableName, err)
		}
		macs := make(map[dataplane.MAC]bool, len(elements))
		for _, e := range elements {
			var mac dataplane.MAC
			copy(mac[:], e.Key)
			macs[mac] = true
		}
		s.members[set.Name] = macs
	}
	return nil
}

// unsupported reports whether an error says that this kernel has no nftables, or not for ingress.
func unsupported(err error) bool {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOENT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
