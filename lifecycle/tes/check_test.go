package tes

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

func TestWhatIsWrongIsNamed(t *testing.T) {
	many := nic("blue", 1)
	for i := range 255 {
		many.IPs = append(many.IPs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}))
	}
	associate := func(nics ...NIC) Operation { return Operation{Op: evpn.Associate, VM: vmid(1), NICs: nics} }
	tests := []struct {
		name string
		o    Operation
		want []string // in the error
	}{
		{"a VMID of zeros", Operation{Op: evpn.Associate, NICs: []NIC{nic("blue", 1)}}, []string{"vm 00000000-"}},
		{"an operation that there is not", Operation{Op: 7, VM: vmid(1)}, []string{"op 7", "want 1 (pre-associate) to 6"}},
		{"no NIC, and the VM is not known", associate(), []string{"nic none", "at least one"}},
		{"NICs with suspend", Operation{Op: evpn.Suspend, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}, []string{"nic 1", "only associate and pre-associate"}},
		{"immigration with suspend", Operation{Op: evpn.Suspend, VM: vmid(1), Immigration: true}, []string{"immigration true"}},
		{"a dry run of a keep-alive", Operation{KeepAlive: true, VM: vmid(1), DryRun: true}, []string{"dry_run true"}},
		{"a VN that is not known", associate(nic("green", 1)), []string{`vn "green"`, "blue (10100)", "red (10200)", "named (0)"}},
		{"a VNI that is not known", associate(nic("10101", 1)), []string{`vn "10101"`, "blue (10100)"}},
		{"VNI 0", associate(nic("0", 1)), []string{`vn "0"`}},
		{"a multicast MAC", associate(NIC{VN: "blue", MAC: evpn.MAC{1, 0, 0x5e, 0, 0, 1}}), []string{"mac 01:00:5e:00:00:01", "multicast"}},
		{"a MAC of zeros", associate(NIC{VN: "blue"}), []string{"mac 00:00:00:00:00:00", "all zero"}},
		{"a MAC twice in a VN", associate(nic("blue", 1), nic("10100", 1)), []string{"mac 02:00:00:00:00:01", "twice in VN blue"}},
		{"an IP twice in a VN", associate(nic("blue", 1, "10.0.0.1"), nic("blue", 2, "::ffff:10.0.0.1")), []string{"ip 10.0.0.1", "twice in VN blue"}},
		{"a multicast IP", associate(nic("blue", 1, "224.0.0.1")), []string{"ip 224.0.0.1"}},
		{"an IP with a zone", associate(nic("blue", 1, "fe80::1%eth0")), []string{"ip fe80::1%eth0", "zone"}},
		{"256 routes", associate(many), []string{"256 routes", "at most 255"}},
		{"two NVEs", associate(nic("blue", 1), nic("far", 2)), []string{"vn far", "192.0.2.2", "VN blue", "192.0.2.1"}},
		{"a profile of 25 bits", associate(NIC{VN: "blue", MAC: mac(1), Policy: &evpn.Policy{Type: 1 << 24}}), []string{"policy 16777216", "below 16777216"}},
		{
			"a credential for another NIC",
			Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}, Credentials: []Credential{{VN: "blue", MAC: mac(2)}}},
			[]string{"credentials blue 02:00:00:00:00:02", "no NIC of this VM"},
		},
		{"all errors at once", associate(nic("green", 1), NIC{VN: "blue", MAC: evpn.MAC{1}}), []string{`vn "green"`, "mac 01:00:00:00:00:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.up(edgeID)
			out, ok := w.outcome(w.do(tt.o))
			var input *InputError
			if !ok || !errors.As(out.err, &input) {
				t.Fatalf("got %v, want an InputError", out.err)
			}
			for _, s := range tt.want {
				if !strings.Contains(out.err.Error(), s) {
					t.Errorf("%q does not say %q", out.err, s)
				}
			}
			if len(w.core.vms) != 0 || len(w.disk.image.VMs) != 0 || len(w.requests(vmid(1))) != 0 {
				t.Error("a wrong operation left something behind")
			}
		})
	}
}

func TestTheSameMACInTwoVNsIsTwoNICs(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1"), nic("red", 1, "10.0.0.1")}})
	if n := len(w.vm(vmid(1)).Routes); n != 4 {
		t.Errorf("%d routes, want 4", n)
	}
}

func TestOperationsThatNeedAKnownVM(t *testing.T) {
	w := newWorld(t)
	for _, o := range []Operation{
		{Op: evpn.Suspend}, {Op: evpn.Resume}, {Op: evpn.Emigrate}, {Op: evpn.Terminate}, {KeepAlive: true}, {Op: evpn.Suspend, DryRun: true},
	} {
		o.VM = vmid(1)
		if out, ok := w.outcome(w.do(o)); !ok || !errors.Is(out.err, ErrUnknownVM) {
			t.Errorf("%+v: %v, want ErrUnknownVM", o, out.err)
		}
	}
}

func TestAMACOfAnotherVMIsRefused(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	out, _ := w.outcome(w.do(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("blue", 1)}}))
	if out.err == nil || !strings.Contains(out.err.Error(), "is that of VM "+vmid(1).String()) {
		t.Errorf("got %v", out.err)
	}
	w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("red", 1)}})
	w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
	w.must(Operation{Op: evpn.Associate, VM: vmid(3), NICs: []NIC{nic("blue", 1)}})
}

func TestAVMStaysAtItsNVE(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.up(farID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	out, _ := w.outcome(w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("far", 1)}}))
	if out.err == nil || !strings.Contains(out.err.Error(), "terminate it there first") {
		t.Errorf("got %v", out.err)
	}
	w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("far", 1)}})
	if got := w.vm(vmid(1)).NVE; got != farID {
		t.Errorf("VM is at %v, want %v", got, farID)
	}
}

func TestAKeepAliveNeedsAnAssociation(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].script(vmid(1), refusal(evpn.FailedAuthorization))
	w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	out, _ := w.outcome(w.do(Operation{KeepAlive: true, VM: vmid(1)}))
	if out.err == nil || !strings.Contains(out.err.Error(), "no association") {
		t.Errorf("got %v", out.err)
	}
}
