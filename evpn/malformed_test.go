package evpn_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// malformed is what is wrong with a message: rows instead of the good one's of the same sub-type ("-01" takes one away).
type malformed struct {
	name   string
	change []string
	text   string
	hasVM  bool
	hasOp  bool
}

// changed is the rows with the change made.
func changed(rows, change []string) []string {
	rows = slices.Clone(rows)
	for _, row := range change {
		sub, add, _ := strings.Cut(row, " ")
		if name, gone := strings.CutPrefix(sub, "-"); gone {
			rows = slices.DeleteFunc(rows, func(r string) bool { return strings.HasPrefix(r, name) })
		} else if name, also := strings.CutPrefix(sub, "+"); also {
			rows = append(rows, name+" "+add)
		} else {
			rows = slices.DeleteFunc(rows, func(r string) bool { return strings.HasPrefix(r, sub) })
			rows = append(rows, row)
		}
	}
	return rows
}

// refuses checks the error, and that it and what could be read are the same in every order.
func refuses[T any](t *testing.T, test malformed, decode func([]evpn.ExtendedCommunity) (T, error), good []string) (read T) {
	t.Helper()
	cs := communities(t, changed(good, test.change)...)
	want := evpn.FormatError{Reason: evpn.InvalidFormat, Text: test.text, HasVM: test.hasVM, HasOp: test.hasOp}
	read, _ = decode(cs)
	for seed := range uint64(16) {
		again, err := decode(shuffled(append(cs, noise...), seed))
		var format *evpn.FormatError
		if !errors.As(err, &format) || *format != want || err.Error() != test.text {
			t.Errorf("%s: error\n%+v, want\n%+v", test.name, format, want)
			return read
		}
		if !reflect.DeepEqual(again, read) {
			t.Errorf("%s: read %+v in one order, %+v in another", test.name, read, again)
		}
	}
	return read
}

func TestMalformedRequest(t *testing.T) {
	for _, test := range []malformed{
		{"no OP", []string{"-01"}, "read request: OP is missing", true, false},
		{"OP twice", []string{"+01 121a 6553f101"}, "read request: OP has two values, 121a6553f100 and 121a6553f101, where there is one", true, false},
		{"OP three times", []string{"+01 121a 6553f101", "+01 121a 6553f102"},
			"read request: OP has two values, 121a6553f100 and 121a6553f102, where there is one", true, false},
		{"version 0", []string{"01 021a 6553f100"}, "read request: OP version is 0, not 1", true, true},
		{"version 2", []string{"01 221a 6553f100"}, "read request: OP version is 2, not 1", true, true},
		{"op 0", []string{"01 101a 6553f100"}, "read request: OP op is 0, not 1 (pre-associate) to 6 (terminate)", true, true},
		{"op 7", []string{"01 171a 6553f100"}, "read request: OP op is 7, not 1 (pre-associate) to 6 (terminate)", true, true},
		{"op 15", []string{"01 1f1a 6553f100"}, "read request: OP op is 15, not 1 (pre-associate) to 6 (terminate)", true, true},
		{"base state 6", []string{"01 126a 6553f100"}, "read request: OP base state is 6, not 0 (null) to 5 (terminated)", true, true},
		{"no VMID", []string{"-02", "-03", "-04"}, "read request: VMID-a is missing", false, true},
		{"no VMID-a", []string{"-02"}, "read request: VMID-a is missing", false, true},
		{"no VMID-b", []string{"-03"}, "read request: VMID-b is missing", false, true},
		{"no VMID-c", []string{"-04"}, "read request: VMID-c is missing", false, true},
		{"VMID-a twice", []string{"+02 7b0c2f6e5a4e"}, "read request: VMID-a has two values, 7b0c2f6e5a4d and 7b0c2f6e5a4e, where there is one", false, true},
		{"VMID-c twice", []string{"+04 6b1a0c55 01 ff"}, "read request: VMID-c has two values, 6b1a0c5501ff and 6b1a0c5502ff, where there is one", false, true},
		{"VMID zero", []string{"02 000000000000", "03 000000000000", "04 00000000 01 01"}, "read request: VMID is all zero, which is no VM's", true, true},
		{"count 0", []string{"04 6b1a0c55 01 00"}, "read request: VMID-c route count is 0, not 1 or more", true, true},
		{"index 0", []string{"04 6b1a0c55 00 02"}, "read request: VMID-c route index is 0, not 1 to 2", true, true},
		{"index above count", []string{"04 6b1a0c55 03 02"}, "read request: VMID-c route index is 3, not 1 to 2", true, true},
		{"POLICY twice", []string{"+05 012345 04 05 00"}, "read request: POLICY has two values, 012345030500 and 012345040500, where there is one", true, true},
		{"ECHO result 2", []string{"0c 07 02 00000000"}, "read request: ECHO result is 2, not 0 (applied) or 1 (failed)", true, true},
		{"half a VN-NAME", []string{"-0e"}, "read request: VN-NAME-a is missing", true, true},
		{"the other half", []string{"-0f"}, "read request: VN-NAME-b is missing", true, true},
		{"no CREDENTIAL-a", []string{"-14"}, "read request: CREDENTIAL-a is missing", true, true},
		{"no CREDENTIAL-b", []string{"-15"}, "read request: CREDENTIAL-b is missing", true, true},
		{"one CREDENTIAL of three", []string{"-14", "-15"}, "read request: CREDENTIAL-a is missing", true, true},
		{"EXPIRY twice", []string{"+17 6b49d201 0000"}, "read request: EXPIRY has two values, 6b49d2000000 and 6b49d2010000, where there is one", true, true},
		{"a known part of another message, twice", []string{"+07 000000000000", "+07 000000000001"},
			"read request: RESULT has two values, 000000000000 and 000000000001, where there is one", true, true},
		{"critical", []string{"+80 000000000000"}, "read request: sub-type 0x80 is not known, and its bit 0x80 forbids ignoring it", true, true},
		{"critical, two", []string{"+ff 000000000000", "+81 000000000000"}, "read request: sub-type 0x81 is not known, and its bit 0x80 forbids ignoring it", true, true},
		{"critical, a known one with the bit", []string{"+88 000000000000"}, "read request: sub-type 0x88 is not known, and its bit 0x80 forbids ignoring it", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := refuses(t, test, evpn.DecodeRequest, requests[1].octets)
			if test.hasVM && test.name != "VMID zero" && read.VM != vm || !test.hasVM && !read.VM.IsZero() {
				t.Errorf("VMID %v", read.VM)
			}
			if test.hasOp != (read.Sequence == 1700000000) {
				t.Errorf("sequence %d", read.Sequence)
			}
		})
	}
}

func TestMalformedResponse(t *testing.T) {
	for _, test := range []malformed{
		{"no RESULT", []string{"-07"}, "read response: RESULT is missing", true, false},
		{"RESULT twice", []string{"+07 2 3 09 6553f101"}, "read response: RESULT has two values, 23096553f100 and 23096553f101, where there is one", true, false},
		{"status 4", []string{"07 4 3 09 6553f100"}, "read response: RESULT status is 4, not 0 (success) to 3 (pending)", true, true},
		{"state 6", []string{"07 0 6 00 6553f100"}, "read response: RESULT state is 6, not 0 (null) to 5 (terminated)", true, true},
		{"VMID in part", []string{"-03"}, "read response: VMID-b is missing", false, true},
		{"count 0", []string{"04 6b1a0c55 01 00"}, "read response: VMID-c route count is 0, not 1 or more", true, true},
		{"index 0", []string{"04 6b1a0c55 00 01"}, "read response: VMID-c route index is 0, not 1 to 1", true, true},
		{"index above count", []string{"04 6b1a0c55 03 02"}, "read response: VMID-c route index is 3, not 1 to 2", true, true},
		{"half a VN-NAME", []string{"-0f"}, "read response: VN-NAME-b is missing", true, true},
		{"LEASE twice", []string{"+09 0e11 00000000"}, "read response: LEASE has two values, 0e1000000000 and 0e1100000000, where there is one", true, true},
		{"LOCAL-TAG twice", []string{"+08 01 0065 00 0000"}, "read response: LOCAL-TAG has two values, 010064000000 and 010065000000, where there is one", true, true},
		{"critical", []string{"+ff 000000000000"}, "read response: sub-type 0xff is not known, and its bit 0x80 forbids ignoring it", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := refuses(t, test, evpn.DecodeResponse, responses[1].octets)
			if test.hasVM != (read.VM != nil) || test.hasVM && *read.VM != vm {
				t.Errorf("VMID %v", read.VM)
			}
			if test.hasOp != (read.Sequence == 1700000000) {
				t.Errorf("sequence %d", read.Sequence)
			}
		})
	}
}

func TestMalformedBeacon(t *testing.T) {
	for _, test := range []malformed{
		{"no LEASE", []string{"-09"}, "read beacon: LEASE is missing", false, false},
		{"no DIGEST", []string{"-10"}, "read beacon: DIGEST is missing", false, false},
		{"DIGEST twice", []string{"+10 0004 7c1d1fdf"}, "read beacon: DIGEST has two values, 00047c1d1fde and 00047c1d1fdf, where there is one", false, false},
		{"critical", []string{"+90 000000000000"}, "read beacon: sub-type 0x90 is not known, and its bit 0x80 forbids ignoring it", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			refuses(t, test, evpn.DecodeBeacon, beacons[0].octets)
		})
	}
	t.Run("reply", func(t *testing.T) {
		refuses(t, malformed{"no DIGEST", []string{"-10"}, "read reply beacon: DIGEST is missing", false, false}, evpn.DecodeReplyBeacon, beacons[0].octets)
	})
}

// A route without any community of ours is no message, which is not the same as a malformed one.
func TestNoMessage(t *testing.T) {
	for _, cs := range [][]evpn.ExtendedCommunity{nil, {evpn.EncapsulationVXLAN, evpn.ExtendedCommunity(evpn.RequestTarget(1 << 24))}} {
		for name, err := range map[string]error{
			"request":      second(evpn.DecodeRequest(cs)),
			"response":     second(evpn.DecodeResponse(cs)),
			"beacon":       second(evpn.DecodeBeacon(cs)),
			"reply beacon": second(evpn.DecodeReplyBeacon(cs)),
		} {
			want := evpn.FormatError{Reason: evpn.InvalidFormat, Text: "read " + name + ": no community of type 0x88", Missing: true}
			var format *evpn.FormatError
			if !errors.As(err, &format) || *format != want {
				t.Errorf("%s: %+v, want %+v", name, format, want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
