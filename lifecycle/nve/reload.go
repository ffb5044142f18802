package nve

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// MayChange asks whether another edge may go on in this one's place with another configuration. The answer is what speaks against it: VNs that would be
// renumbered, renamed or deleted, TESs that would lose their port or their right to a VN, policies that would go or not fit any more, and guarantees that could not be kept, each with the VMs that are there (SPEC §3). If nothing does, VNs
// that are not in the next configuration take nobody new from now on: their associations are refused as if they were draining.
func (e *Edge) MayChange(ctx context.Context, next Config) (against []string, err error) {
	err = e.ask(ctx, func() { against = e.mayChange(next) })
	return against, err
}

func (e *Edge) mayChange(next Config) []string {
	if against := e.against(next); len(against) > 0 {
		return against
	}
	for vni, v := range e.vns {
		v.leaving = !slices.ContainsFunc(next.VNs, func(n VN) bool { return n.VNI == vni && n.Name == v.Name })
	}
	return nil
}

const startNotOver = "the start is not over: who is there is not known yet; try again in a few seconds"

// against is what speaks against another configuration, in order.
func (e *Edge) against(next Config) []string {
	if !e.fabricDone {
		return []string{startNotOver}
	}
	vms := map[string][]string{} // by what would become of them
	inhabitants := e.inhabitants()
	for _, k := range keysOf(inhabitants, compareVMKeys) {
		who := fmt.Sprintf("%s at TES %s", k.VM, k.TES)
		if s := e.servers[k.VM]; s != nil && k.TES == e.config.ID {
			who = "server " + s.Name
		}
		told := map[string]bool{}
		for _, st := range inhabitants[k] {
			v := e.vns[st.VNI]
			if v == nil {
				continue
			}
			lost := e.loses
			if k.TES == e.config.ID {
				lost = e.serverLoses
			}
			if text := lost(k, v, st.StationKey, st.Value, next); text != "" && !told[text] {
				told[text] = true
				vms[text] = append(vms[text], who)
			}
		}
	}
	maps.Copy(vms, e.breaks(next, inhabitants))
	var all []string
	for _, text := range slices.Sorted(maps.Keys(vms)) {
		all = append(all, fmt.Sprintf("%s: %s", text, strings.Join(vms[text], ", ")))
	}
	return all
}

// inhabitants is who holds something, or is about to.
func (e *Edge) inhabitants() map[VMKey]Holding {
	all := maps.Clone(e.memory.Holdings)
	for k, r := range e.records {
		if r.procedure != nil && len(r.procedure.bindings) > 0 {
			h := slices.Clone(all[k])
			for _, more := range holdingOf(r.procedure.bindings) {
				h.Put(more.StationKey, more.Value)
			}
			all[k] = h
		}
	}
	return all
}

// loses is what a VM with a MAC in a VN would lose, "" for nothing.
func (e *Edge) loses(k VMKey, v *vn, st StationKey, has evpn.Policy, next Config) string {
	at := slices.IndexFunc(next.VNs, func(n VN) bool { return n.VNI == v.VNI })
	if at < 0 {
		if again := slices.IndexFunc(next.VNs, func(n VN) bool { return n.Name == v.Name }); again >= 0 {
			return fmt.Sprintf("VN %s cannot be renumbered from %d to %d while VMs are in it", v.Name, v.VNI, next.VNs[again].VNI)
		}
		return fmt.Sprintf("VN %s (%d) cannot be deleted while VMs are in it", v.Name, v.VNI)
	}
	n := next.VNs[at]
	there := slices.ContainsFunc(n.Ports, func(p Port) bool { return slices.Contains(p.TES, k.TES) })
	switch {
	case n.Name != v.Name:
		return fmt.Sprintf("VN %s (%d) cannot be renamed %s while VMs are in it", v.Name, v.VNI, n.Name)
	case !there:
		return fmt.Sprintf("TES %s cannot lose its port in VN %s while VMs of it are there", k.TES, v.Name)
	case len(n.TES) > 0 && !slices.Contains(n.TES, k.TES):
		return fmt.Sprintf("TES %s cannot be forbidden VN %s while VMs of it are there", k.TES, v.Name)
	case n.Credentialed && !v.Credentialed && !e.vouchedFor(k, v, st.MAC):
		return fmt.Sprintf("VN %s cannot ask for credentials while VMs are in it that came without", v.Name)
	}
	if text := forbidden(next, n, has); text != "" && e.forbidden(v, has) == "" {
		return fmt.Sprintf("VN %s cannot have policies by which VMs in it could not be there: %s", v.Name, text)
	}
	return ""
}

// serverLoses is what a server would lose, "" for nothing: it is where its configuration says, or is no more, but does not go with a VN to another number.
func (e *Edge) serverLoses(k VMKey, v *vn, st StationKey, _ evpn.Policy, next Config) string {
	at := slices.IndexFunc(next.VNs, func(n VN) bool { return n.Name == v.Name })
	if at < 0 || next.VNs[at].VNI == v.VNI {
		return ""
	}
	goes := func(n NIC) bool { return n.VNI == next.VNs[at].VNI && n.MAC == st.MAC }
	if !slices.ContainsFunc(next.Servers, func(s Server) bool { return s.VM == k.VM && slices.ContainsFunc(s.NICs, goes) }) {
		return ""
	}
	return fmt.Sprintf("VN %s cannot be renumbered from %d to %d while servers are in it", v.Name, v.VNI, next.VNs[at].VNI)
}

// forbidden is why a VM could not be in a VN of a configuration with a policy (zero: none), "" if it could.
func forbidden(c Config, n VN, has evpn.Policy) string {
	e := &Edge{config: c}
	return e.forbidden(&vn{VN: n, rulings: map[policy.ID]*ruling{}}, has)
}

func (e *Edge) forbidden(v *vn, has evpn.Policy) string {
	asked := &has
	if has == (evpn.Policy{}) {
		asked = nil
	}
	r, why, text := e.rulingOf(v, asked)
	if why == evpn.ReasonNone && r.conflict != nil {
		text = r.conflict.Error()
	}
	return text
}

// vouchedFor reports whether each of the VM's bindings of a MAC was accepted with a credential.
func (e *Edge) vouchedFor(k VMKey, v *vn, mac evpn.MAC) bool {
	r := e.records[k]
	if r == nil {
		return false
	}
	for _, b := range r.bindings {
		if b.vn != v || b.key.MAC != mac {
			continue
		}
		if _, ok := e.memory.Acceptances[k][BindingKey{v.VNI, v.hash, b.key.MAC, b.key.IP}]; !ok {
			return false
		}
	}
	return true
}
