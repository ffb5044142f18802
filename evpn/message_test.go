package evpn_test

import (
	"reflect"
	"slices"
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
