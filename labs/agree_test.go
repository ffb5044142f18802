package labs_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
)

// differ tells how what is there differs from what there should be.
func differ[T any](what string, want, got T) error {
	if diff := gocmp.Diff(want, got, cmpopts.EquateComparable(fdb.Remote{}, netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("%s (-want +got):\n%s", what, diff)
	}
	return nil
}

// vteps of the engine lab by node.
var vteps = map[string]string{"edge1": edge1, "edge2": edge2, "vtep": vtep}

// agree reports whether all that can be asked says the same of where VMs are: the kernels of all VTEPs, nved, and FRR's
// tables. No entry is missing and none is left over.
func (l lab) agree(vms []placed) error {
	problems := []error{l.fabricAgrees(vms), l.plainAgrees(vms)}
	for _, edge := range []string{"edge1", "edge2"} {
		problems = append(problems, l.kernelAgrees(edge, vms), l.tableAgrees(edge, vms), l.recordsAgree(edge, vms))
	}
	return errors.Join(problems...)
}

// elsewhere is what the kernel of a VTEP should hold of VMs that are active behind others.
func elsewhere(node string, vms []placed) fdb.Table {
	want := fdb.Table{MACs: make(map[string]fdb.Remote)}
	for _, p := range vms {
		if p.state == "associated" && p.site.edge != node {
			want.MACs[p.vm.mac.String()] = fdb.To(p.site.vtep)
		}
	}
	if node != "vtep" {
		want.MACs[farMAC.String()] = fdb.To(vtep)
	}
	for other := range vteps {
		if other != node {
			want.Flood = append(want.Flood, fdb.To(vteps[other]).VTEP)
		}
	}
	slices.SortFunc(want.Flood, netip.Addr.Compare)
	return want
}

// behind is the MACs that should be on a port.
func behind(s site, vms []placed) (macs []string) {
	for _, p := range vms {
		if p.state == "associated" && p.site == s {
			macs = append(macs, p.vm.mac.String())
		}
	}
	slices.Sort(macs)
	return macs
}

// kernelAgrees looks at an edge's kernel: what is behind its VXLAN device, and behind each port.
func (l lab) kernelAgrees(edge string, vms []placed) error {
	got, err := fdb.Read(l.Namespace(edge), device)
	if err != nil {
		return err
	}
	problems := []error{differ("the kernel of "+edge, elsewhere(edge, vms), got)}
	for _, s := range sites {
		if s.edge == edge {
			macs, err := fdb.Behind(l.Namespace(edge), s.port)
			problems = append(problems, err, differ("port "+s.port+" of "+edge, behind(s, vms), macs))
		}
	}
	return errors.Join(problems...)
}

// plainAgrees looks at the plain VTEP: its kernel and FRR's own table.
func (l lab) plainAgrees(vms []placed) error {
	want := elsewhere("vtep", vms)
	got, err := fdb.Read(l.Namespace("vtep"), device)
	if err != nil {
		return err
	}
	macs, err := frr.Router{Lab: l.Lab, Node: "vtep"}.MACs(l.ctx, 10100)
	if err != nil {
		return err
	}
	known := make(map[string]string)
	for mac, m := range macs {
		known[mac] = m.RemoteVTEP
	}
	wanted := map[string]string{farMAC.String(): ""}
	for mac, r := range want.MACs {
		wanted[mac] = r.VTEP.String()
	}
	return errors.Join(differ("the kernel of vtep", want, got), differ("FRR's MACs at vtep", wanted, known))
}

// fabricAgrees looks at the reflector: one route to each MAC.
func (l lab) fabricAgrees(vms []placed) error {
	routes, err := frr.Router{Lab: l.Lab, Node: "rr"}.Routes(l.ctx)
	if err != nil {
		return err
	}
	var got []string
	want := []string{"[2]:[0]:[48]:[" + farMAC.String() + "] by " + vtep}
	for _, r := range routes {
		if strings.HasPrefix(r.Prefix, "[2]") {
			got = append(got, r.Prefix+" by "+r.NextHop)
		}
	}
	for _, p := range vms {
		if p.state == "associated" {
			want = append(want, "[2]:[0]:[48]:["+p.vm.mac.String()+"] by "+p.site.vtep)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	return differ("the reflector's routes", want, got)
}

// entry is what nved tells of its forwarding table.
type entry struct{ Kind, MAC, Port, VTEP, State string }

// tableAgrees asks an edge for its forwarding table.
func (l lab) tableAgrees(edge string, vms []placed) error {
	text, err := l.Output(l.ctx, edge, "tnsctl", "--json", "fdb")
	if err != nil {
		return err
	}
	var got, want []entry
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return err
	}
	got = slices.DeleteFunc(got, func(e entry) bool { return e.Kind == "port" })
	remote := elsewhere(edge, vms)
	for mac, r := range remote.MACs {
		want = append(want, entry{"remote", mac, "", r.VTEP.String(), "installed"})
	}
	for _, a := range remote.Flood {
		want = append(want, entry{"flood", "", "", a.String(), "installed"})
	}
	for _, s := range sites {
		for _, mac := range behind(s, vms) {
			if s.edge == edge {
				want = append(want, entry{"local", mac, s.port, "", "installed"})
			}
		}
	}
	order := func(a, b entry) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	return differ("nved's table at "+edge, want, got)
}

// record is what nved tells of a VM of a TES.
type record struct{ VMID, TES, State, Mark string }

// recordsAgree asks an edge for its VMs.
func (l lab) recordsAgree(edge string, vms []placed) error {
	text, err := l.Output(l.ctx, edge, "tnsctl", "--json", "vm", "list")
	if err != nil {
		return err
	}
	var got, want []record
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return err
	}
	got = slices.DeleteFunc(got, func(r record) bool { return r.State == "terminated" }) // it is remembered for a minute
	for _, p := range vms {
		if p.site.edge == edge {
			want = append(want, record{p.vm.id, p.site.tes, p.state, ""})
		}
	}
	order := func(a, b record) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	return differ("nved's VMs at "+edge, want, got)
}
