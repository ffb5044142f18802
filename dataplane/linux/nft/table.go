package nft

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// Table is our nftables table in one network namespace. It is safe for concurrent use.
type Table struct {
	mu    sync.Mutex
	conn  *conn
	state state
}

// Source is an address that is active on a port.
type Source = VM

// Open opens the sockets. It changes nothing.
func Open(ns netns.NsHandle) (*Table, error) {
	c, err := dial(ns)
	if err != nil {
		return nil, err
	}
	return &Table{conn: c}, nil
}

// Close closes the sockets. What the kernel holds stays.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn.close()
}

// Forget has the next use read the table again. Older kernels (6.1) remove a chain with its device, and their generation does not tell.
func (t *Table) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.known = false
}

// commit sends what was prepared. When it succeeds the generation is known, if nobody else changed anything meanwhile.
func (t *Table) commit() error {
	if err := t.conn.flush(); err != nil {
		t.state.known = false
		return fmt.Errorf("change nftables table %s: %w", tableName, err)
	}
	now, err := t.conn.generation()
	t.state.known = err == nil && t.state.known && now == t.state.generation+1
	t.state.generation = now
	return nil
}

// forget gives up what was prepared.
func (t *Table) forget(err error) error {
	t.state.known = false
	return errors.Join(err, t.conn.reopen())
}

// Ensure makes what the ports and bridges need, and removes what others had. What is there and right stays, with its counters. A set of sources that
// is made begins with what active returns, so that a table that somebody flushed comes back without a frame of an active VM being dropped.
func (t *Table) Ensure(ports, bridges []string, active func(device string) ([]dataplane.MAC, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return err
	}
	tx := transaction{Table: t}
	if len(ports)+len(bridges) > 0 {
		tx.foundation()
	}
	tx.removeOthers(ports, bridges)
	for _, b := range bridges {
		tx.bridge(b)
	}
	for _, p := range ports {
		if err := tx.port(p, active); err != nil {
			return t.forget(err)
		}
	}
	tx.shareElements(ports)
	tx.regroup(ports...)
	if tx.changes == 0 {
		return nil
	}
	err := tx.commit()
	t.state.known = false // to see what was made, rather than to know it
	if err != nil {
		return err
	}
	return t.refresh()
}

// transaction is what is being prepared.
type transaction struct {
	*Table
	changes int
	failed  error // of what could not be prepared
}

// fail notes that something could not be prepared.
func (tx *transaction) fail(err error) { tx.failed = errors.Join(tx.failed, err) }

// commit sends all, or nothing.
func (tx *transaction) commit() error {
	if tx.failed != nil {
		return tx.forget(fmt.Errorf("change nftables table %s: %w", tableName, tx.failed))
	}
	if tx.changes == 0 {
		return nil
	}
	return tx.Table.commit()
}

// begin is called before each change.
func (tx *transaction) begin() *conn {
	if tx.changes++; tx.changes == 1 {
		tx.conn.AddTable(ourTable())
	}
	return tx.conn
}

// foundation makes what all ports share.
func (tx *transaction) foundation() {
	for _, s := range sharedSets {
		if tx.state.sets[s.Name] == nil {
			tx.fail(tx.begin().AddSet(s, nil))
			tx.state.sets[s.Name] = map[string]struct{}{}
		}
	}
	for _, c := range shared() {
		tx.fill(c)
	}
}

// fill makes a chain hold these lines.
func (tx *transaction) fill(c chain) {
	_, there := tx.state.chains[c.name]
	if there && tx.state.holds(c) {
		return
	}
	if !there {
		tx.begin().addChain(c.name)
	} else {
		tx.begin().FlushChain(plainChain(c.name))
	}
	tx.state.chains[c.name] = chainState{noPolicy, tx.prepare(c.name, c.lines)}
}

// base makes a chain that a hook calls.
func (tx *transaction) base(hook *nftables.ChainHook, name, device string, policy nftables.ChainPolicy, lines []line) {
	was, there := tx.state.chains[name]
	if there && was.policy == policy && tx.state.holds(chain{name, lines}) {
		return
	}
	if there && was.policy != policy {
		tx.begin().delChain(name)
		there = false
	}
	if there {
		tx.begin().FlushChain(plainChain(name))
	} else {
		tx.begin().AddChain(&nftables.Chain{
			Table: ourTable(), Name: name, Device: device, Type: nftables.ChainTypeFilter,
			Hooknum: hook, Priority: nftables.ChainPriorityRaw, Policy: &policy,
		})
	}
	tx.state.chains[name] = chainState{policy, tx.prepare(name, lines)}
}

func (tx *transaction) bridge(device string) {
	tx.base(nftables.ChainHookIngress, device, device, nftables.ChainPolicyDrop, nil)
}

// port makes what a port needs for sources: its set, its map, and the chain before it.
func (tx *transaction) port(device string, active func(device string) ([]dataplane.MAC, error)) error {
	if tx.state.members[device] == nil {
		macs, err := active(device)
		if err != nil {
			return err
		}
		if err := tx.begin().AddSet(sourceSet(device), nil); err != nil {
			return fmt.Errorf("make nftables set %s: %w", device, err)
		}
		tx.state.members[device] = make(map[dataplane.MAC]bool)
		var elements []element
		for _, mac := range macs {
			tx.state.members[device][mac] = true
			elements = append(elements, element{device, string(mac[:]), ""})
		}
		tx.addElements(elements)
	}
	if err := tx.verdictMap(device, fromPart); err != nil {
		return err
	}
	tx.base(nftables.ChainHookIngress, device, device, nftables.ChainPolicyAccept, []line{
		{exprs: exprs(ethernet(), link(etherSrc, macOctets, reg), notIn(device), counter(), drop)},
		{exprs: jump(spoofChain)},
		{exprs: dispatch(device+"/"+fromPart, link(etherSrc, macOctets, reg))},
	})
	if tx.state.sets[device+"/"+toPart] != nil {
		return tx.egress(device)
	}
	return nil
}

func (tx *transaction) verdictMap(device, part string) error {
	m := verdicts(device, part)
	if tx.state.sets[m.Name] != nil {
		return nil
	}
	if err := tx.begin().AddSet(m, nil); err != nil {
		return fmt.Errorf("make nftables map %s: %w", m.Name, err)
	}
	tx.state.sets[m.Name] = map[string]struct{}{}
	return nil
}

// egress makes what a port needs for frames to VMs.
func (tx *transaction) egress(device string) error {
	if err := tx.verdictMap(device, toPart); err != nil {
		return err
	}
	forAll := device + "/" + groupPart
	if _, there := tx.state.chains[forAll]; !there {
		tx.begin().addChain(forAll)
		tx.state.chains[forAll] = chainState{policy: noPolicy}
		tx.state.groups[device] = &group{}
	}
	isGroup := exprs(link(etherDst, 1, reg), masked(1), is(1))
	tx.base(nftables.ChainHookEgress, device+"/"+toPart, device, nftables.ChainPolicyAccept, []line{
		{exprs: dispatch(device+"/"+toPart, link(etherDst, macOctets, reg))},
		{exprs: exprs(isGroup, goTo(forAll))},
	})
	return nil
}

// removeOthers removes what belongs to devices that are neither.
func (tx *transaction) removeOthers(ports, bridges []string) {
	stays := func(name string) bool {
		device, _, _ := strings.Cut(name, "/")
		return device == tableName || slices.Contains(ports, device) || slices.Contains(bridges, name)
	}
	var callers, vms []string
	for vm, h := range tx.state.vms {
		if !slices.Contains(ports, vm.Device) {
			tx.removeElements(h.elements)
			vms = append(vms, h.chains...)
		}
	}
	for name := range tx.state.chains {
		if !stays(name) {
			callers = append(callers, name)
		}
	}
	// What refers to a chain, a set or a map goes before it: eth1/to refers to eth1/group.
	slices.Sort(callers)
	slices.Reverse(callers)
	for _, name := range callers {
		tx.begin().delChain(name)
		delete(tx.state.chains, name)
	}
	for _, name := range slices.Sorted(maps.Keys(tx.state.sets)) {
		if !stays(name) {
			tx.begin().DelSet(&nftables.Set{Table: ourTable(), Name: name})
			delete(tx.state.sets, name)
		}
	}
	tx.removeChains(vms)
	for device := range tx.state.members {
		if !slices.Contains(ports, device) {
			tx.begin().DelSet(sourceSet(device))
			delete(tx.state.members, device)
		}
	}
	for vm := range tx.state.vms {
		if !slices.Contains(ports, vm.Device) {
			delete(tx.state.vms, vm)
		}
	}
}

// shareElements makes the shared sets hold what belongs to the ports and the active sources, and nothing of VMs without a policy.
func (tx *transaction) shareElements(ports []string) {
	want := make(map[element]bool)
	for _, p := range ports {
		want[element{portsSet, string(ifname(p)), ""}] = true
		for mac := range tx.state.members[p] {
			for _, e := range sourceElements(Source{p, mac}) {
				want[e] = true
			}
		}
	}
	var add, remove []element
	for e := range want {
		if _, there := tx.state.sets[e.set][e.key]; !there {
			add = append(add, e)
		}
	}
	for _, set := range []string{portsSet, ownSet, spoofedSet} {
		for k := range tx.state.sets[set] {
			if e := (element{set, k, ""}); !want[e] {
				remove = append(remove, e)
			}
		}
	}
	for vm, h := range tx.state.vms {
		if len(h.chains) == 0 && len(h.elements) > 0 {
			remove = append(remove, h.elements...)
			delete(tx.state.vms, vm)
		}
	}
	tx.removeElements(remove)
	tx.addElements(add)
}

// sourceElements are what an active source needs in the shared sets.
func sourceElements(s Source) []element {
	port := vmKey(s)
	own := string(append(port, key(s.MAC[:])...)) // both in one piece of memory
	return []element{{ownSet, own, ""}, {spoofedSet, own[:len(port)], ""}}
}

// addElements and removeElements prepare changes of sets and maps.
func (tx *transaction) addElements(list []element) {
	if len(list) == 0 {
		return
	}
	tx.begin().changeElements(unix.NFT_MSG_NEWSETELEM, list)
	for _, e := range list {
		if tx.state.sets[e.set] != nil {
			tx.state.sets[e.set][e.key] = struct{}{}
		}
	}
}

func (tx *transaction) removeElements(list []element) {
	if len(list) == 0 {
		return
	}
	tx.begin().changeElements(unix.NFT_MSG_DELSETELEM, list)
	for _, e := range list {
		delete(tx.state.sets[e.set], e.key)
	}
}
