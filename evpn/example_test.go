package evpn_test

import (
	"errors"
	"fmt"

	"github.com/tns-project/tns/evpn"
)

// A TES asks its NVE to associate a VM.
func ExampleRequest() {
	request := evpn.Request{Op: evpn.Associate, Flags: evpn.FlagImmigration, Sequence: 1700000000, VM: vm, Index: 1, Count: 1}
	for _, c := range request.Communities() {
		fmt.Printf("%x  %v\n", c[:], c)
	}
	mirror := request.Mirror(65000)
	words, _ := evpn.DecodeMirror(mirror)
	fmt.Printf("%v  %v\n", mirror, words)
	// Output:
	// 880112086553f100  OP associate base null M seq 1700000000
	// 88027b0c2f6e5a4d  VMID-a 7b0c2f6e5a4d
	// 88034c1e9f3a2d8e  VMID-b 4c1e9f3a2d8e
	// 88046b1a0c550101  VMID-c 6b1a0c55 route 1 of 1
	// 65000:100021:1700000000  associate base null M seq 1700000000
}

// An NVE answers what it cannot read with what it could.
func ExampleDecodeRequest() {
	request := evpn.Request{Op: evpn.Associate, Sequence: 7, VM: vm, Index: 3, Count: 2}
	read, err := evpn.DecodeRequest(request.Communities())
	if format := (*evpn.FormatError)(nil); errors.As(err, &format) {
		response := evpn.Response{Status: evpn.Fail, Reason: format.Reason, Sequence: read.Sequence}
		if format.HasVM {
			response.VM, response.Index, response.Count = &read.VM, read.Index, read.Count
		}
		fmt.Println(err)
		for _, c := range response.Communities() {
			fmt.Println(c)
		}
	}
	// Output:
	// read request: VMID-c route index is 3, not 1 to 2
	// VMID-a 7b0c2f6e5a4d
	// VMID-b 4c1e9f3a2d8e
	// VMID-c 6b1a0c55 route 3 of 2
	// RESULT fail state null reason 1 (invalid format) seq 7
}

// The mobile MAC is where the higher sequence is.
func ExampleBetter() {
	before := evpn.Candidate{Sequence: 1, VTEP: ip4}
	after := evpn.Candidate{Sequence: 2, VTEP: ip6}
	fmt.Println(evpn.Better(after, before), evpn.Better(before, after))
	// Output: true false
}
