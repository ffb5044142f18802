package nft

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// state is what the kernel's table is known to hold.
type state struct {
	known      bool // nobody has changed anything since it was read, but for what we have
	generation uint32

	chains  map[string]chainState             // but for those of VMs
	sets    map[string]map[string]struct{}    // shared sets and the ports' maps: the keys
	members map[string]map[dataplane.MAC]bool // active sources by device
	vms     map[VM]*held                      // who has chains or elements
	groups  map[string]*group                 // by device; nil: to be read
}

// noPolicy stands for the policy of a chain that no hook calls.
const noPolicy = ^nftables.ChainPolicy(0)

// chainState is a chain as it was read or made.
type chainState struct {
	policy nftables.ChainPolicy
	labels []string // of its rules, if they are intact
}

// holds reports whether a chain has these rules and no others.
func (s *state) holds(c chain) bool {
	labels := s.chains[c.name].labels
	if len(labels) != len(c.lines) {
		return false
	}
	for i, l := range c.lines {
		if labels[i] != label(i, len(c.lines), l) {
			return false
		}
	}
	return true
}

// refresh reads the table, unless it is known.
func (t *Table) refresh() error {
	for range 3 {
		before, err := t.conn.generation()
		if err != nil {
			return err
		}
		if t.state.known && t.state.generation == before {
			return nil
		}
		s, err := t.read()
		if err != nil {
			return err
		}
		after, err := t.conn.generation()
		if err != nil {
			return err
		}
		s.generation, s.known = after, after == before
		t.state = s
		if s.known {
			return nil
		}
	}
	return nil // somebody changes rules all the time: it is as good as it gets
}

func (t *Table) read() (state, error) {
	s := state{
		chains: make(map[string]chainState), sets: make(map[string]map[string]struct{}),
		members: make(map[string]map[dataplane.MAC]bool), vms: make(map[VM]*held), groups: make(map[string]*group),
	}
	tables, err := t.conn.read.ListTablesOfFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return s, fmt.Errorf("list nftables tables: %w", err)
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName }) {
		return s, nil
	}
	comments, err := t.readChains(&s)
	if err != nil {
		return s, err
	}
	if err := t.readSets(&s); err != nil {
		return s, err
	}
	for _, h := range s.vms {
		slices.Sort(h.chains)
		h.elements = sorted(h.elements)
		h.name(h.elements)
		h.judge(comments)
	}
	return s, nil
}

// readChains reads the chains, and returns the comments of those that are intact.
func (t *Table) readChains(s *state) (map[string][]string, error) {
	all, err := t.conn.read.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	comments := make(map[string][]string)
	for _, c := range all {
		if c.Table.Name != tableName {
			continue
		}
		rules, err := t.conn.read.GetRules(ourTable(), c)
		if err != nil {
			return nil, fmt.Errorf("list the rules of nftables chain %s: %w", c.Name, err)
		}
		says, whole := intact(rules)
		if whole {
			comments[c.Name] = says
		}
		if vm, _, _, ok := parseVMChain(c.Name); ok {
			h := s.vm(vm)
			h.chains = append(h.chains, c.Name)
			continue
		}
		cs := chainState{policy: noPolicy}
		if c.Policy != nil {
			cs.policy = *c.Policy
		}
		if whole {
			for _, r := range rules {
				comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
				cs.labels = append(cs.labels, comment)
			}
		}
		s.chains[c.Name] = cs
		if device, part, _ := strings.Cut(c.Name, "/"); part == groupPart {
			s.groups[device] = parseGroup(rules)
		}
	}
	return comments, nil
}

// vm is what is held of a VM, made if there is nothing.
func (s *state) vm(vm VM) *held {
	h := s.vms[vm]
	if h == nil {
		h = &held{Held: Held{VM: vm}}
		s.vms[vm] = h
	}
	return h
}

func (t *Table) readSets(s *state) error {
	sets, err := t.conn.read.GetSets(ourTable())
	if err != nil {
		return fmt.Errorf("list nftables sets of %s: %w", tableName, err)
	}
	for _, set := range sets {
		elements, err := t.conn.read.GetSetElements(set)
		if err != nil {
			return fmt.Errorf("list nftables set %s of %s: %w", set.Name, tableName, err)
		}
		device, part, shared := strings.Cut(set.Name, "/")
		if !shared {
			macs := make(map[dataplane.MAC]bool, len(elements))
			for _, e := range elements {
				macs[dataplane.MAC(slices.Concat(e.Key, make([]byte, 6))[:6])] = true
			}
			s.members[set.Name] = macs
			continue
		}
		keys := make(map[string]struct{}, len(elements))
		for _, e := range elements {
			n := element{set.Name, string(e.Key), ""}
			if set.IsMap {
				n.chain = verdictChain(e.Val)
			}
			keys[n.key] = struct{}{}
			var vm VM
			var ok bool
			switch {
			case set.IsMap && (part == fromPart || part == toPart) && len(e.Key) >= 6:
				vm, ok = VM{device, dataplane.MAC(e.Key[:6])}, true
			case set.Name == bound4Set, set.Name == bound6Set, set.Name == addr4Set, set.Name == addr6Set:
				vm, _, ok = parseVMKey(e.Key)
			}
			if ok {
				h := s.vm(vm)
				h.elements = append(h.elements, n)
			}
		}
		s.sets[set.Name] = keys
	}
	return nil
}

// verdictChain is the chain in the data of a map's element: attributes of a verdict.
func verdictChain(data []byte) string {
	attrs, err := netlink.UnmarshalAttributes(data)
	if err != nil {
		return ""
	}
	var name string
	code := int32(0)
	for _, a := range attrs {
		switch a.Type {
		case unix.NFTA_VERDICT_CODE:
			if len(a.Data) == 4 {
				code = int32(binary.BigEndian.Uint32(a.Data))
			}
		case unix.NFTA_VERDICT_CHAIN:
			name = unix.ByteSliceToString(a.Data)
		}
	}
	if code != unix.NFT_GOTO {
		return "?" + name
	}
	return name
}

// group is the chain that frames for all VMs of a port go through.
type group struct {
	jumps  map[string]uint64 // by the chain that may let a frame through: the rule's handle, 0 where it is not known
	drops  bool              // what none of them lets through
	broken bool              // there is something else
}

func parseGroup(rules []*nftables.Rule) *group {
	g := &group{jumps: make(map[string]uint64)}
	for i, r := range rules {
		comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		v, ok := r.Exprs[max(len(r.Exprs)-1, 0)].(*expr.Verdict)
		switch {
		case !ok || comment != groupLabel(r.Exprs):
			g.broken = true
		case v.Kind == expr.VerdictJump && len(r.Exprs) == 1:
			g.jumps[v.Chain] = r.Handle
		case v.Kind == expr.VerdictDrop && i == len(rules)-1:
			g.drops = true
		default:
			g.broken = true
		}
	}
	g.broken = g.broken || g.drops != (len(rules) > 0)
	return g
}

// groupLabel is the comment of a rule in the chain of frames for all VMs, which come and go one by one.
func groupLabel(exprs []expr.Any) string { return fmt.Sprintf("any %08x", fingerprint(exprs)) }
