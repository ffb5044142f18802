package nft

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables/expr"

	"github.com/tns-project/tns/dataplane"
)

// VM is a source address on a port: the bridge port's device.
type VM struct {
	Device string
	MAC    dataplane.MAC
}

// Policy is what is to hold for a VM's frames.
type Policy struct {
	VM
	Policy  *dataplane.VMPolicy // in its canonical form
	Digest  dataplane.Digest    // of it
	InForce bool
	Class   uint16 // of what waits on the port for the VM; 0: none
}

// Held is a policy as the kernel holds it.
type Held struct {
	VM
	Digest  dataplane.Digest // zero: what is there is not whole
	InForce bool
	Terms   Terms
}

// Terms are what of a policy others than nftables do. They stand in the comment of the first rule of its chain.
type Terms struct {
	Sources   uint32 // a hash of the addresses
	Class     uint16
	From, To  dataplane.Limit
	Guarantee uint64
}

// MarkOf is the packet mark that stands for a class: only frames to VMs that have one bear it, behind the port's egress chain.
func MarkOf(class uint16) uint32 { return 0x74c0<<16 | uint32(class) }

const termsFormat = "policy src:%08x class:%d from:%d/%d to:%d/%d min:%d"

func (p Policy) terms() Terms {
	return Terms{addresses(p.Policy.Sources), p.Class, p.Policy.From.Limit, p.Policy.To.Limit, p.Policy.Guarantee}
}

// String is the comment.
func (t Terms) String() string {
	return fmt.Sprintf(termsFormat, t.Sources, t.Class, t.From.Rate, t.From.Burst, t.To.Rate, t.To.Burst, t.Guarantee)
}

func parseTerms(s string) (t Terms, ok bool) {
	n, err := fmt.Sscanf(s, termsFormat, &t.Sources, &t.Class, &t.From.Rate, &t.From.Burst, &t.To.Rate, &t.To.Burst, &t.Guarantee)
	return t, n == 7 && err == nil && t.String() == s
}

// addresses is a hash of sorted addresses.
func addresses(sorted []netip.Addr) uint32 {
	h := fnv.New32a()
	for _, a := range sorted {
		h.Write(a.AsSlice())
	}
	return h.Sum32()
}

// chains are the policy's chains, in the order in which they can be made.
func (p Policy) chains() (all []chain) {
	from := []line{{counter(), p.terms().String()}}
	if p.Policy.DSCP.Set {
		from = append(from, dscp(p.Policy.DSCP.Value)...)
	}
	if p.Policy.PCP.Set {
		from = append(from, mark(expr.MetaKeyPRIORITY, uint32(p.Policy.PCP.Value)))
	}
	from = append(from, list(p.Policy.From.Rules, drop)...)
	all = append(all, chain{p.chain(fromPart), from})
	if !p.egress() {
		return all
	}

	to := []line{{exprs: counter()}}
	if p.Policy.PCP.Set {
		to = append(to, mark(expr.MetaKeyPRIORITY, uint32(p.Policy.PCP.Value)))
	}
	if p.Class != 0 {
		to = append(to, mark(expr.MetaKeyMARK, MarkOf(p.Class)))
	}
	if !restricts(p.Policy.To) {
		return append(all, chain{p.chain(toPart), append(to, list(p.Policy.To.Rules, nil)...)})
	}
	to = append(to, line{jump(p.chain(aclPart)), ""}, line{exprs(counter(), drop), ""})
	acl := append(list(p.Policy.To.Rules, ret), line{exprs: accept})
	return append(all, chain{p.chain(aclPart), acl}, chain{p.chain(toPart), to})
}

func (p Policy) chain(part string) string { return vmChain(p.VM, p.Digest, part) }

// egress reports whether the policy says anything of frames to the VM.
func (p Policy) egress() bool { return len(p.Policy.To.Rules) > 0 || p.Policy.PCP.Set || p.Class != 0 }

// restricts reports whether the rules can drop anything.
func restricts(d dataplane.Direction) bool {
	return slices.ContainsFunc(d.Rules, func(r dataplane.Rule) bool { return r.Action == dataplane.Deny })
}

// element is one of a set, or of a map when it has a chain.
type element struct{ set, key, chain string }

func (e element) compare(o element) int {
	return cmp.Or(strings.Compare(e.set, o.set), strings.Compare(e.key, o.key), strings.Compare(e.chain, o.chain))
}

// sorted is the elements in their order, each once, in no more memory than that takes.
func sorted(all []element) []element {
	slices.SortFunc(all, element.compare)
	return slices.Clip(slices.Compact(all))
}

// appendOthers adds to list what is in all, but not in but; both are sorted.
func appendOthers(list, all, but []element) []element {
	for _, e := range all {
		if _, in := slices.BinarySearchFunc(but, e, element.compare); !in {
			list = append(list, e)
		}
	}
	return list
}

// elements are what makes the policy in force, sorted.
func (p Policy) elements() []element {
	all := make([]element, 1, 2+2*len(p.Policy.Sources))
	all[0] = element{p.Device + "/" + fromPart, string(p.MAC[:]), p.chain(fromPart)}
	if p.egress() {
		all = append(all, element{p.Device + "/" + toPart, string(p.MAC[:]), p.chain(toPart)})
	}
	for _, a := range p.Policy.Sources {
		bound, addr := bound4Set, addr4Set
		if a.Is6() {
			bound, addr = bound6Set, addr6Set
		}
		all = append(all, element{bound, string(vmKey(p.VM)), ""}, element{addr, string(append(vmKey(p.VM), a.AsSlice()...)), ""})
	}
	return sorted(all)
}

// held is what the kernel holds of a VM's policies.
type held struct {
	Held
	chains   []string  // all of the VM's, of whatever digest, sorted
	elements []element // sorted
}

// name has elements name their chains by the texts that are held already.
func (h *held) name(elements []element) {
	for i := range elements {
		if at, ok := slices.BinarySearch(h.chains, elements[i].chain); ok {
			elements[i].chain = h.chains[at]
		}
	}
}

// acl is the chain that decides of frames for all VMs of the port, if the policy is in force and has one.
func (h *held) acl() string {
	if h == nil || !h.InForce || h.Digest == (dataplane.Digest{}) {
		return ""
	}
	if acl := vmChain(h.VM, h.Digest, aclPart); slices.Contains(h.chains, acl) {
		return acl
	}
	return ""
}

// judge tells from what was read of a VM's chains and elements whether there is one whole policy, in force or not; comments are those of the intact
// chains by name.
func (h *held) judge(comments map[string][]string) {
	h.Digest, h.InForce = dataplane.Digest{}, false
	var digest dataplane.Digest
	for i, name := range h.chains {
		_, d, _, _ := parseVMChain(name)
		if _, intact := comments[name]; !intact || i > 0 && d != digest {
			return
		}
		digest = d
	}
	from, to, acl := vmChain(h.VM, digest, fromPart), vmChain(h.VM, digest, toPart), vmChain(h.VM, digest, aclPart)
	if len(comments[from]) == 0 {
		return
	}
	var ok bool
	if h.Terms, ok = parseTerms(comments[from][0]); !ok {
		return
	}
	has := func(name string) bool { return slices.Contains(h.chains, name) }
	if has(acl) && !has(to) {
		return
	}
	if len(h.elements) == 0 {
		h.Digest = digest
		return
	}
	want := []element{{h.Device + "/" + fromPart, string(h.MAC[:]), from}}
	if has(to) {
		want = append(want, element{h.Device + "/" + toPart, string(h.MAC[:]), to})
	}
	var sources []netip.Addr
	for _, e := range h.elements {
		if e.chain != "" || e.set != addr4Set && e.set != addr6Set {
			continue
		}
		a, _ := netip.AddrFromSlice([]byte(strings.TrimPrefix(e.key, string(vmKey(h.VM)))))
		sources = append(sources, a)
		want = append(want, e, element{map[string]string{addr4Set: bound4Set, addr6Set: bound6Set}[e.set], string(vmKey(h.VM)), ""})
	}
	slices.SortFunc(sources, netip.Addr.Compare)
	if addresses(sources) != h.Terms.Sources || !slices.Equal(sorted(want), h.elements) {
		return
	}
	h.Digest, h.InForce = digest, true
}
