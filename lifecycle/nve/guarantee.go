package nve

import (
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// unsure is why a port cannot have what is guaranteed, "" if it can as far as nobody else is behind it.
func (r *ruling) unsure(p Port) string {
	if r.Guaranteed == 0 || p.Bandwidth > 0 {
		return ""
	}
	return fmt.Sprintf("%s is guaranteed bandwidth, and port %s has none in the configuration that could be guaranteed", r, p.Name)
}

// promise is what is guaranteed to the VMs behind a port.
type promise struct {
	bits, of uint64 // of the port's bandwidth
	vms      []string
}

// broken reports whether more is guaranteed than there is.
func (p promise) broken() bool { return p.bits > p.of }

// promises is what a configuration would guarantee to who is there, by port.
func (e *Edge) promises(c Config, inhabitants map[VMKey]Holding) map[string]promise {
	all := map[string]promise{}
	judge := &Edge{config: c}
	for _, k := range keysOf(inhabitants, compareVMKeys) {
		for _, st := range inhabitants[k] {
			v := slices.IndexFunc(c.VNs, func(n VN) bool { return n.VNI == st.VNI })
			if v < 0 {
				continue
			}
			at := slices.IndexFunc(c.VNs[v].Ports, func(p Port) bool { return slices.Contains(p.TES, k.TES) })
			if at < 0 {
				continue
			}
			port := c.VNs[v].Ports[at]
			var asked *evpn.Policy
			if has := st.Value; has != (evpn.Policy{}) {
				asked = &has
			}
			r, _, _ := judge.rulingOf(&vn{VN: c.VNs[v], rulings: map[policy.ID]*ruling{}}, asked)
			if r == nil || r.Guaranteed == 0 {
				continue
			}
			p := all[port.Name]
			p.bits, p.of = p.bits+r.Guaranteed, port.Bandwidth
			if vm := fmt.Sprintf("%s at TES %s", k.VM, k.TES); !slices.Contains(p.vms, vm) {
				p.vms = append(p.vms, vm)
			}
			all[port.Name] = p
		}
	}
	return all
}

// breaks is the ports on which the next configuration would guarantee more than there is, and this one does not, each with the VMs that it is guaranteed to.
func (e *Edge) breaks(next Config, inhabitants map[VMKey]Holding) map[string][]string {
	all := map[string][]string{}
	now := e.promises(e.config, inhabitants)
	for port, p := range e.promises(next, inhabitants) {
		if p.broken() && !now[port].broken() {
			all[fmt.Sprintf("port %s cannot guarantee %d bit/s with a bandwidth of %d", port, p.bits, p.of)] = p.vms
		}
	}
	return all
}
