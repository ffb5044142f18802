package evpn_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// Whole messages in octets, in SPEC's order.
var requests = []struct {
	name    string
	request evpn.Request
	mirror  string // from AS 65000
	octets  []string
}{
	{
		"least",
		evpn.Request{Op: evpn.PreAssociate, Sequence: 1, VM: vm, Index: 1, Count: 1},
		"65000:100010:1",
		[]string{"01 1100 00000001", "02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 01 01"},
	},
	{
		"everything",
		evpn.Request{
			Op: evpn.Associate, Base: evpn.StatePreAssociated, Flags: evpn.FlagImmigration | evpn.FlagDryRun, Sequence: 1700000000,
			VM: vm, Index: 2, Count: 255,
			Policy:   &evpn.Policy{Type: 0x012345, Version: 3, Format: evpn.FormatUUID},
			Proposal: &evpn.LocalTag{Type: evpn.TagDot1Q, PS: true, PCP: 5, VID: 100, Change: 7},
			Echo:     &evpn.Echo{Change: 7, Failed: true},
			VNName:   &blue,
			Credential: &evpn.Credential{
				KeyID: 0x0102,
				Tag:   [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			},
			Expiry: new(uint32(1800000000)),
		},
		"65000:101021:1700000000",
		[]string{
			"01 121a 6553f100", "02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 02 ff", "05 012345 03 05 00", "08 01 d064 07 0000",
			"0c 07 01 00000000", "0e 16477688c0e0", "0f 0699c6cfa449", "14 0102 00010203", "15 040506070809", "16 0a0b0c0d0e0f", "17 6b49d200 0000",
		},
	},
	{
		"every bit",
		evpn.Request{
			Op: evpn.Terminate, Base: evpn.StateTerminated, Flags: 14, Sequence: 1<<32 - 1,
			VM:    evpn.VMID{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
			Index: 255, Count: 255,
			Policy:     &evpn.Policy{Type: 1<<24 - 1, Version: 255, Format: 255},
			Proposal:   &evpn.LocalTag{Type: 255, PS: true, PCP: 7, VID: 4095, Change: 255},
			Echo:       &evpn.Echo{Change: 255},
			VNName:     &evpn.VNName{},
			Credential: &evpn.Credential{},
			Expiry:     new(uint32(1<<32 - 1)),
		},
		"65000:105061:4294967295",
		[]string{
			"01 165e ffffffff", "02 ffffffffffff", "03 ffffffffffff", "04 ffffffff ff ff", "05 ffffff ff ff 00", "08 ff ffff ff 0000",
			"0c ff 00 00000000", "0e 000000000000", "0f 000000000000", "14 0000 00000000", "15 000000000000", "16 000000000000", "17 ffffffff 0000",
		},
	},
	{
		"keep-alive",
		evpn.Request{Op: evpn.Suspend, Base: evpn.StateSuspended, Flags: evpn.FlagKeepAlive, Sequence: 258, VM: vm, Index: 1, Count: 2},
		"65000:103030:258",
		[]string{"01 1334 00000102", "02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 01 02"},
	},
}

var responses = []struct {
	name     string
	response evpn.Response
	mirror   string
	octets   []string
}{
	{
		"least: refused, the request had no whole VMID",
		evpn.Response{Status: evpn.Fail, Reason: evpn.InvalidFormat, Sequence: 9},
		"65000:200101:9",
		[]string{"07 1 0 01 00000009"},
	},
	{
		"everything",
		evpn.Response{
			VM: &vm, Index: 1, Count: 2, Status: evpn.FailKept, State: evpn.StateSuspended, Reason: evpn.WrongState, Sequence: 1700000000,
			Lease: &evpn.Lease{Lifetime: 3600}, VNName: &blue, Tag: &evpn.LocalTag{Type: evpn.TagDot1Q, VID: 100},
		},
		"65000:203209:1700000000",
		[]string{
			"02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 01 02", "07 2 3 09 6553f100", "08 01 0064 00 0000", "09 0e10 00000000",
			"0e 16477688c0e0", "0f 0699c6cfa449",
		},
	},
	{
		"refused, an index above the count given back",
		evpn.Response{VM: &vm, Index: 3, Count: 2, Status: evpn.Fail, Reason: evpn.InvalidFormat, Sequence: 9},
		"65000:200101:9",
		[]string{"02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 03 02", "07 1 0 01 00000009"},
	},
	{
		"pending",
		evpn.Response{VM: &vm, Index: 1, Count: 1, Status: evpn.Pending, State: evpn.StateTerminated, Sequence: 1<<32 - 1},
		"65000:205300:4294967295",
		[]string{"02 7b0c2f6e5a4d", "03 4c1e9f3a2d8e", "04 6b1a0c55 01 01", "07 3 5 00 ffffffff"},
	},
	{
		"a reason that is not known",
		evpn.Response{Status: evpn.Fail, Reason: 42},
		"65000:200142:0",
		[]string{"07 1 0 2a 00000000"},
	},
}

var beacons = []struct {
	name   string
	beacon evpn.Beacon
	octets []string
}{
	{"default interval", evpn.Beacon{Lease: evpn.Lease{Lifetime: 90, Counter: 258}, Digest: evpn.Digest{Live: 4, CRC: 0x7c1d1fde}},
		[]string{"09 005a 00000102", "10 0004 7c1d1fde"}},
	{"every bit", evpn.Beacon{Lease: evpn.Lease{Lifetime: 65535, Counter: 1<<32 - 1}, Digest: evpn.Digest{Live: 65535, CRC: 1<<32 - 1}},
		[]string{"09 ffff ffffffff", "10 ffff ffffffff"}},
}

// noise is what a message may have beside it without a change: other types, and sub-types that are not known and not critical.
var noise = []evpn.ExtendedCommunity{
	evpn.EncapsulationVXLAN,
	evpn.ExtendedCommunity(evpn.RequestTarget(1 << 24)),
	evpn.MACMobility{Sequence: 7}.Community(),
	{0x08, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0x88, 0x06, 1}, {0x88, 0x06, 2}, {0x88, 0x0a}, {0x88, 0x00, 5}, {0x88, 0x7f, 1}, {0x88, 0x20},
}

// reads checks that every order, equal duplicates and noise give the same value.
func reads[T any](t *testing.T, name string, decode func([]evpn.ExtendedCommunity) (T, error), cs []evpn.ExtendedCommunity, want T) {
	t.Helper()
	noisy := append(slices.Concat(cs, noise), cs...)
	for seed := range uint64(16) {
		for _, in := range [][]evpn.ExtendedCommunity{shuffled(cs, seed), shuffled(noisy, seed)} {
			if got, err := decode(in); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: read %+v, %v from %x; want %+v", name, got, err, in, want)
				return
			}
		}
	}
}

func TestRequestOctets(t *testing.T) {
	for _, test := range requests {
		want := communities(t, test.octets...)
		if got := test.request.Communities(); !slices.Equal(got, want) {
			t.Errorf("%s: wrote\n%x, want\n%x", test.name, got, want)
		}
		if got := test.request.Mirror(65000).String(); got != test.mirror {
			t.Errorf("%s: mirror %s, want %s", test.name, got, test.mirror)
		}
		reads(t, test.name, evpn.DecodeRequest, want, test.request)
	}
}

func TestResponseOctets(t *testing.T) {
	for _, test := range responses {
		want := communities(t, test.octets...)
		if got := test.response.Communities(); !slices.Equal(got, want) {
			t.Errorf("%s: wrote\n%x, want\n%x", test.name, got, want)
		}
		if got := test.response.Mirror(65000).String(); got != test.mirror {
			t.Errorf("%s: mirror %s, want %s", test.name, got, test.mirror)
		}
		reads(t, test.name, evpn.DecodeResponse, want, test.response)
	}
}

func TestBeaconOctets(t *testing.T) {
	for _, test := range beacons {
		want := communities(t, test.octets...)
		if got := test.beacon.Communities(); !slices.Equal(got, want) {
			t.Errorf("%s: wrote\n%x, want\n%x", test.name, got, want)
		}
		reads(t, test.name, evpn.DecodeBeacon, want, test.beacon)
		reads(t, test.name, evpn.DecodeReplyBeacon, want, test.beacon)
	}
	reply := evpn.Beacon{Digest: evpn.Digest{Live: 1, CRC: 2}}
	want := communities(t, "10 0001 00000002")
	if got := reply.Communities(); !slices.Equal(got, want) {
		t.Errorf("reply beacon: wrote %x, want %x", got, want)
	}
	reads(t, "reply beacon without LEASE", evpn.DecodeReplyBeacon, want, reply)
}

func TestReservedBitsAreIgnored(t *testing.T) {
	for _, test := range []struct {
		name           string
		clean, touched string
	}{
		{"OP's reserved flag", "01 121a 6553f100", "01 121b 6553f100"},
		{"POLICY", "05 012345 03 05 00", "05 012345 03 05 ff"},
		{"LOCAL-TAG", "08 01 d064 07 0000", "08 01 d064 07 ffff"},
		{"ECHO", "0c 07 01 00000000", "0c 07 01 ffffffff"},
		{"EXPIRY", "17 6b49d200 0000", "17 6b49d200 ffff"},
	} {
		full := requests[1]
		if !slices.Contains(full.octets, test.clean) {
			t.Fatalf("%s: %q is not in the request", test.name, test.clean)
		}
		instead := slices.Clone(full.octets)
		instead[slices.Index(instead, test.clean)] = test.touched
		reads(t, test.name, evpn.DecodeRequest, communities(t, instead...), full.request)
		beside := append(slices.Clone(full.octets), test.touched)
		reads(t, test.name+" set in a second copy", evpn.DecodeRequest, communities(t, beside...), full.request)
	}
}

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
		{"critical", []string{"+80 000000000000"}, "read request: sub-type 0x80 is not known, and its bit 0x80 forbids to ignore it", true, true},
		{"critical, two", []string{"+ff 000000000000", "+81 000000000000"}, "read request: sub-type 0x81 is not known, and its bit 0x80 forbids to ignore it", true, true},
		{"critical, a known one with the bit", []string{"+88 000000000000"}, "read request: sub-type 0x88 is not known, and its bit 0x80 forbids to ignore it", true, true},
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
		{"critical", []string{"+ff 000000000000"}, "read response: sub-type 0xff is not known, and its bit 0x80 forbids to ignore it", true, true},
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
		{"critical", []string{"+90 000000000000"}, "read beacon: sub-type 0x90 is not known, and its bit 0x80 forbids to ignore it", false, false},
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

// Whatever can be said is read as it was said.
func TestRandomMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		request, response := randomRequest(r), randomResponse(r)
		if got, err := evpn.DecodeRequest(shuffled(request.Communities(), r.Uint64())); err != nil || !reflect.DeepEqual(got, request) {
			t.Fatalf("request %+v read as %+v, %v", request, got, err)
		}
		if got, err := evpn.DecodeResponse(shuffled(response.Communities(), r.Uint64())); err != nil || !reflect.DeepEqual(got, response) {
			t.Fatalf("response %+v read as %+v, %v", response, got, err)
		}
		m, ok := evpn.DecodeMirror(request.Mirror(65000))
		if want := (evpn.Mirror{AS: 65000, State: request.Base, Op: request.Op, Immigration: request.Flags&evpn.FlagImmigration != 0, Sequence: request.Sequence}); !ok || m != want {
			t.Fatalf("mirror of %+v read as %+v, %v", request, m, ok)
		}
		m, ok = evpn.DecodeMirror(response.Mirror(65000))
		if want := (evpn.Mirror{AS: 65000, Response: true, State: response.State, Status: response.Status, Reason: response.Reason, Sequence: response.Sequence}); !ok || m != want {
			t.Fatalf("mirror of %+v read as %+v, %v", response, m, ok)
		}
	}
}

func randomRequest(r *rand.Rand) evpn.Request {
	q := evpn.Request{
		Op:       evpn.Op(1 + r.IntN(6)),
		Base:     evpn.State(r.IntN(6)),
		Flags:    evpn.Flags(r.IntN(8) << 1),
		Sequence: r.Uint32(),
		VM:       randomVMID(r),
		Count:    uint8(1 + r.IntN(255)),
	}
	q.Index = uint8(1 + r.IntN(int(q.Count)))
	if r.IntN(2) == 0 {
		q.Policy = &evpn.Policy{Type: r.Uint32N(1 << 24), Version: uint8(r.Uint32()), Format: uint8(r.Uint32())}
	}
	if r.IntN(2) == 0 {
		q.VNName = new(evpn.HashVNName(q.VM.String()))
	}
	if r.IntN(2) == 0 {
		q.Proposal = randomTag(r)
	}
	if r.IntN(2) == 0 {
		q.Echo = &evpn.Echo{Change: uint8(r.Uint32()), Failed: r.IntN(2) == 0}
	}
	if r.IntN(2) == 0 {
		q.Credential = &evpn.Credential{KeyID: uint16(r.Uint32()), Tag: randomVMID(r)}
		q.Expiry = new(r.Uint32())
	}
	return q
}

func randomResponse(r *rand.Rand) evpn.Response {
	q := evpn.Response{Status: evpn.Status(r.IntN(4)), State: evpn.State(r.IntN(6)), Reason: evpn.Reason(r.IntN(20)), Sequence: r.Uint32()}
	if r.IntN(4) > 0 {
		q.VM = new(randomVMID(r))
		q.Count = uint8(1 + r.IntN(255))
		q.Index = uint8(1 + r.IntN(int(q.Count)))
	}
	if r.IntN(2) == 0 {
		q.Lease = &evpn.Lease{Lifetime: uint16(r.Uint32())}
	}
	if r.IntN(2) == 0 {
		q.VNName = new(evpn.HashVNName("vn"))
	}
	if r.IntN(2) == 0 {
		q.Tag = randomTag(r)
	}
	return q
}

func randomTag(r *rand.Rand) *evpn.LocalTag {
	return &evpn.LocalTag{
		Type: uint8(r.Uint32()), PS: r.IntN(2) == 0, PCP: uint8(r.IntN(8)), VID: uint16(r.IntN(4096)), Change: uint8(r.Uint32()),
	}
}

func randomVMID(r *rand.Rand) (v evpn.VMID) {
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

// No flipped bit of a message makes a reader fall over or read two different values in two orders; and unless it is reserved it changes what is read.
func TestFlippedBits(t *testing.T) {
	full := communities(t, requests[1].octets...)
	for i := range full {
		for bit := range 64 {
			cs := slices.Clone(full)
			cs[i][bit/8] ^= 0x80 >> (bit % 8)
			a, errA := evpn.DecodeRequest(cs)
			b, errB := evpn.DecodeRequest(shuffled(cs, uint64(bit)))
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(errA, errB) {
				t.Errorf("%x: read %+v %v, in another order %+v %v", cs[i], a, errA, b, errB)
			}
			same := errA == nil && reflect.DeepEqual(a, requests[1].request)
			matters := !slices.Equal(evpn.Content(cs), evpn.Content(full))
			if same == matters && full[i][1] != byte(evpn.SubtypeEcho) {
				t.Errorf("%x, one bit from %x: read as the same is %v", cs[i], full[i], same)
			}
			_, _ = evpn.DecodeResponse(cs)
			_, _ = evpn.DecodeBeacon(cs)
			_ = cs[i].String()
		}
	}
}

func TestImmigration(t *testing.T) {
	for op := evpn.PreAssociate; op <= evpn.Terminate; op++ {
		r := evpn.Request{Op: op, Flags: evpn.FlagImmigration}
		if want := op == evpn.PreAssociate || op == evpn.Associate; r.Immigration() != want {
			t.Errorf("%v with M: immigration is not %v", op, want)
		}
		r.Flags = evpn.FlagKeepAlive
		if r.Immigration() {
			t.Errorf("%v without M is an immigration", op)
		}
	}
}
