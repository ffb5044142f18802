package tes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tns-project/tns/evpn"
)

// What the tests print: VMs by their last octet, sequences as a distance from the first one.

func vmid(n byte) evpn.VMID { return evpn.VMID{0: 0x7b, 15: n} }

func mac(n byte) evpn.MAC { return evpn.MAC{0: 2, 5: n} }

func nic(vn string, n byte, ips ...string) NIC {
	nic := NIC{VN: vn, MAC: mac(n)}
	for _, ip := range ips {
		nic.IPs = append(nic.IPs, netip.MustParseAddr(ip))
	}
	return nic
}

func saySequence(s uint32) string { return fmt.Sprintf("s%+d", int32(s-uint32(epoch.Unix()))) }

func sayPlace(r evpn.Route) string {
	request, _ := evpn.DecodeRequest(r.Communities)
	_, number, _ := r.RD.Split()
	ip := "-"
	if r.IP.IsValid() {
		ip = r.IP.String()
	}
	return fmt.Sprintf("vm%d rd:%d %02x %s", request.VM[15], number, r.MAC[5], ip)
}

func sayRequest(r evpn.Route) string {
	q, _ := evpn.DecodeRequest(r.Communities)
	s := fmt.Sprintf("%s: %v from %v %s %d/%d", sayPlace(r), q.Op, q.Base, saySequence(q.Sequence), q.Index, q.Count)
	if q.Flags != 0 {
		s += fmt.Sprintf(" flags=%v", q.Flags)
	}
	if q.Policy != nil {
		s += fmt.Sprintf(" policy=%d:%d", q.Policy.Type, q.Policy.Version)
	}
	if q.Echo != nil {
		s += fmt.Sprintf(" echo=%d", q.Echo.Change)
		if q.Echo.Failed {
			s += " failed"
		}
	}
	return s
}

func sayOutcome(r Result, err error) string {
	var input *InputError
	switch {
	case errors.As(err, &input):
		return "refused: " + err.Error()
	case err != nil:
		return fmt.Sprintf("%v; state %v %s", err, r.State, saySequence(r.Sequence))
	case !r.Answered:
		return fmt.Sprintf("accepted; state %v %s", r.State, saySequence(r.Sequence))
	case r.Status == evpn.Success:
		return fmt.Sprintf("%v; state %v %s after %v", r.Status, r.State, saySequence(r.Sequence), r.Elapsed)
	default:
		return fmt.Sprintf("%v, %v; state %v %s after %v", r.Status, r.Reason, r.State, saySequence(r.Sequence), r.Elapsed)
	}
}

func sayVM(v *VM) string {
	var b strings.Builder
	fmt.Fprintf(&b, "vm%d at %v: wants %v (%s), is %v %s", v.ID[15], v.NVE, v.Wanted, v.Phase, v.State, saySequence(v.Sequence))
	if v.Reason != evpn.ReasonNone {
		fmt.Fprintf(&b, ", told: %v", v.Reason)
	}
	if v.Waiting {
		b.WriteString(", waiting")
	}
	if v.Silent {
		b.WriteString(", no answer")
	}
	for _, r := range v.Routes {
		ip := "-"
		if r.IP.IsValid() {
			ip = r.IP.String()
		}
		fmt.Fprintf(&b, "\n  %s %d %02x %s", r.VN, r.VNI, r.MAC[5], ip)
		if r.Active {
			b.WriteString(" active")
		}
		if r.Reason != evpn.ReasonNone {
			fmt.Fprintf(&b, ", %v", r.Reason)
		}
	}
	return b.String()
}

func (w *world) sayVMs() string {
	vms := slices.Clone(w.core.snapshot().VMs)
	lines := make([]string, len(vms))
	for i, v := range vms {
		lines[i] = sayVM(v)
	}
	return strings.Join(lines, "\n")
}
