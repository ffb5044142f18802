package backend

import (
	"net/netip"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/evpn"
)

// State is a state as the API has it; the numbers are the same.
func State(s evpn.State) tnsv1.State { return tnsv1.State(s) }

// Op is an operation as the API has it; the numbers are the same.
func Op(o evpn.Op) tnsv1.Op { return tnsv1.Op(o) }

// Status is the status of an answer.
func Status(s evpn.Status) tnsv1.Status {
	switch s {
	case evpn.Success:
		return tnsv1.Status_STATUS_SUCCESS
	case evpn.Fail:
		return tnsv1.Status_STATUS_FAIL
	case evpn.FailKept:
		return tnsv1.Status_STATUS_FAIL_KEPT
	case evpn.Pending:
		return tnsv1.Status_STATUS_PENDING
	}
	return tnsv1.Status_STATUS_UNSPECIFIED
}

// Reason is a reason in words; empty for none.
func Reason(r evpn.Reason) string {
	if r == evpn.ReasonNone {
		return ""
	}
	return r.String()
}

// Policy is a profile; nil for none.
func Policy(p *evpn.Policy) *tnsv1.Policy {
	if p == nil {
		return nil
	}
	return &tnsv1.Policy{Id: p.Type, Version: uint32(p.Version)}
}

// Tag is a local tag.
func Tag(t evpn.LocalTag) *tnsv1.Tag {
	return &tnsv1.Tag{Type: uint32(t.Type), Vid: uint32(t.VID), Pcp: uint32(t.PCP), Change: uint32(t.Change)}
}

// Addr is an address; empty for none.
func Addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// VMID reads the UUID of a question.
func VMID(s string) (evpn.VMID, error) {
	id, err := evpn.ParseVMID(s)
	if err != nil {
		return id, control.Errorf(control.ErrInvalid, "%v", err)
	}
	return id, nil
}

// MAC reads the MAC of a question.
func MAC(s string) (evpn.MAC, error) {
	mac, err := evpn.ParseMAC(s)
	if err != nil {
		return mac, control.Errorf(control.ErrInvalid, "%v", err)
	}
	return mac, nil
}

// UnknownVM is the error for a VM that is not there.
func UnknownVM(id evpn.VMID) error {
	return control.Errorf(control.ErrNotFound, "VM %v is not known here", id)
}
