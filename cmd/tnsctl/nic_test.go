package main

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
)

// What parseNIC accepts is complete and in its usual form: printing it and reading that gives the same.
func FuzzParseNIC(f *testing.F) {
	f.Add("vn=blue,mac=02:00:00:00:00:01,ip=10.1.0.1,policy=17:3")
	f.Add("vn=10100,mac=02-00-00-00-00-0A,ip=2001:DB8::1,ip=::ffff:10.1.0.1")
	f.Add("vn=,mac=")
	f.Fuzz(func(t *testing.T, s string) {
		nic, err := parseNIC(s)
		if err != nil {
			return
		}
		vn := nic.Vn.GetName()
		if vn == "" {
			vn = vnWords("", nic.Vn.GetVni())
		}
		again := "vn=" + vn + ",mac=" + nic.Mac
		for _, ip := range nic.Ips {
			again += ",ip=" + ip
		}
		if nic.Policy != nil {
			again += ",policy=" + policyWords(nic.Policy)
		}
		second, err := parseNIC(again)
		if err != nil {
			t.Fatalf("%q was read, its usual form %q is not: %v", s, again, err)
		}
		if second.String() != nic.String() {
			t.Fatalf("%q: %v became %v", s, nic, second)
		}
	})
}

// The VMID is found whatever the order of the communities, as FRR sorts them.
func TestVMIDOfAnyOrder(t *testing.T) {
	vm, err := evpn.ParseVMID(firstVM)
	if err != nil {
		t.Fatal(err)
	}
	request := evpn.Request{Op: evpn.Associate, VM: vm, Index: 1, Count: 1, Sequence: 1}
	rapid.Check(t, func(t *rapid.T) {
		cs := rapid.Permutation(request.Communities()).Draw(t, "communities")
		if got := vmidOf(cs); got != firstVM {
			t.Fatalf("%v: VMID %q, want %q", cs, got, firstVM)
		}
		for i, c := range cs {
			if s := evpn.Subtype(c[1]); s < evpn.SubtypeVMIDa || s > evpn.SubtypeVMIDc {
				continue
			}
			rest := append(append([]evpn.ExtendedCommunity{}, cs[:i]...), cs[i+1:]...)
			if got := vmidOf(rest); got != "" {
				t.Fatalf("without %v: VMID %q, want none", c, got)
			}
		}
	})
}
