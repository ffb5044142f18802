package evpn_test

import (
	"encoding"
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// parsers are the readers of small values, as text in and text out.
var parsers = map[string]func(string) (string, error){
	"MAC":          printed(evpn.ParseMAC),
	"router-id":    printed(evpn.ParseRouterID),
	"VMID":         printed(evpn.ParseVMID),
	"RD":           printed(evpn.ParseRD),
	"route target": printed(evpn.ParseRouteTarget),
	"ESI":          printed(evpn.ParseESI),
	"op":           printed(evpn.ParseOp),
	"state":        printed(evpn.ParseState),
	"status":       printed(evpn.ParseStatus),
	"reason":       printed(evpn.ParseReason),
	"VNI": func(s string) (string, error) {
		v, err := evpn.ParseVNI(s)
		b, _ := json.Marshal(v)
		return string(b), err
	},
}

func printed[T interface{ String() string }](parse func(string) (T, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		v, err := parse(s)
		return v.String(), err
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ kind, in, out string }{
		{"MAC", "02:00:00:00:00:01", "02:00:00:00:00:01"},
		{"MAC", "02-AB-cd-00-00-01", "02:ab:cd:00:00:01"},
		{"VNI", "1", "1"},
		{"VNI", "16777215", "16777215"},
		{"router-id", "192.0.2.1", "192.0.2.1"},
		{"router-id", "1.0.0.0", "1.0.0.0"},
		{"router-id", "15.255.255.255", "15.255.255.255"},
		{"router-id", "17.0.0.0", "17.0.0.0"},
		{"VMID", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55"},
		{"VMID", "7B0C2F6E-5A4D-4C1E-9F3A-2D8E6B1A0C55", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55"},
		{"VMID", "7b0c2f6e5a4d4c1e9f3a2d8e6b1a0c55", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55"},
		{"RD", "192.0.2.1:65535", "192.0.2.1:65535"},
		{"RD", "65000:4294967295", "65000:4294967295"},
		{"RD", "4200000000:7", "4200000000:7"},
		{"RD", "64086.59904:7", "4200000000:7"},
		{"RD", "0.65000:7", "0.65000:7"},
		{"RD", "0x0009000102030405", "0x0009000102030405"},
		{"route target", "65000:10100", "65000:10100"},
		{"route target", "192.0.2.1:100", "192.0.2.1:100"},
		{"route target", "4200000000:100", "4200000000:100"},
		{"route target", "0.65000:100", "0.65000:100"},
		{"route target", "0x0600000000000001", "0x0600000000000001"},
		{"ESI", "00:01:02:03:04:05:06:07:08:FF", "00:01:02:03:04:05:06:07:08:ff"},
		{"op", "pre-associate", "pre-associate"},
		{"op", "terminate", "terminate"},
		{"state", "null", "null"},
		{"state", "emigrating", "emigrating"},
		{"status", "fail-kept", "fail-kept"},
		{"reason", "bad, missing or expired credential", "bad, missing or expired credential"},
	} {
		got, err := parsers[test.kind](test.in)
		if err != nil || got != test.out {
			t.Errorf("%s %q: got %q, %v; want %q", test.kind, test.in, got, err, test.out)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ kind, in, text string }{
		{"MAC", "", "not six octets"},
		{"MAC", "02:00:00:00:00", "not six octets"},
		{"MAC", "02:00:00:00:00:01:02:03", "not six octets"},
		{"MAC", "0200.0000.0001", "not six octets"},
		{"MAC", "02:00:00-00:00:01", "not six octets"},
		{"MAC", "03:00:00:00:00:01", "group (multicast) address"},
		{"MAC", "ff:ff:ff:ff:ff:ff", "group (multicast) address"},
		{"MAC", "00:00:00:00:00:00", "all zero"},
		{"VNI", "0", "from 1 to 16777215"},
		{"VNI", "16777216", "from 1 to 16777215"},
		{"VNI", "-1", "from 1 to 16777215"},
		{"VNI", "blue", "from 1 to 16777215"},
		{"router-id", "0.255.255.255", "below 1.0.0.0"},
		{"router-id", "0.0.0.0", "below 1.0.0.0"},
		{"router-id", "16.0.0.0", "16.0.0.0/8"},
		{"router-id", "16.255.255.255", "16.0.0.0/8"},
		{"router-id", "2001:db8::1", "not a dotted quad"},
		{"router-id", "192.0.2", "not a dotted quad"},
		{"router-id", "3221225985", "not a dotted quad"},
		{"VMID", "", "not a UUID"},
		{"VMID", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c5", "not a UUID"},
		{"VMID", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c5g", "not a UUID"},
		{"VMID", "7b0c2f6e5-a4d-4c1e-9f3a-2d8e6b1a0c55", "not a UUID"},
		{"VMID", "{7b0c2f6e5a4d4c1e9f3a2d8e6b1a0c55}", "not a UUID"},
		{"VMID", "00000000-0000-0000-0000-000000000000", "all zero"},
		{"RD", "192.0.2.1", "not like 192.0.2.1:1"},
		{"RD", "192.0.2.1:65536", "not like 192.0.2.1:1"},
		{"RD", "4200000000:65536", "not like 192.0.2.1:1"},
		{"RD", "65000:4294967296", "not like 192.0.2.1:1"},
		{"RD", "1.65536:1", "not like 192.0.2.1:1"},
		{"RD", "0x00010203", "not like 192.0.2.1:1"},
		{"RD", "0x000102030405060g", "not like 192.0.2.1:1"},
		{"route target", "10100", "not like 65000:10100"},
		{"route target", "65000:-1", "not like 65000:10100"},
		{"route target", "[2001:db8::1]:1", "not like 65000:10100"},
		{"ESI", "00:01:02:03:04:05:06:07:08", "not ten octets"},
		{"ESI", "00:01:02:03:04:05:06:07:08:9", "not two hexadecimal digits"},
		{"ESI", "00:01:02:03:04:05:06:07:08:0x", "not two hexadecimal digits"},
		{"ESI", "00:01:02:03:04:05:06:07:08:090", "not two hexadecimal digits"},
		{"op", "", "not one of pre-associate; associate;"},
		{"op", "op 9", "not one of pre-associate; associate;"},
		{"state", "Null", "not one of null; pre-associated;"},
		{"status", "ok", "not one of success; fail;"},
		{"reason", "because", "not one of none; invalid format;"},
	} {
		got, err := parsers[test.kind](test.in)
		if err == nil || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), test.kind[:1]) && test.kind != "RD" {
			t.Errorf("%s %q: got %q, error %v; want one that says %q", test.kind, test.in, got, err, test.text)
		}
	}
}

func TestRouterIDFromAddr(t *testing.T) {
	for _, test := range []struct{ in, text string }{
		{"192.0.2.1", ""},
		{"::ffff:192.0.2.1", ""},
		{"2001:db8::1", "not an IPv4 address"},
		{"16.0.0.1", "16.0.0.0/8"},
	} {
		id, err := evpn.RouterIDFromAddr(netip.MustParseAddr(test.in))
		if test.text == "" && (err != nil || id.String() != "192.0.2.1" || id.Addr() != ip4) {
			t.Errorf("%s: got %v, %v", test.in, id, err)
		}
		if test.text != "" && (err == nil || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: error %v; want one that says %q", test.in, err, test.text)
		}
	}
	if _, err := evpn.RouterIDFromAddr(netip.Addr{}); err == nil {
		t.Error("no address is taken for a router-id")
	}
}

func TestVNICheck(t *testing.T) {
	for vni, ok := range map[evpn.VNI]bool{0: false, 1: true, evpn.MaxVNI: true, evpn.MaxVNI + 1: false} {
		if err := vni.Check(); (err == nil) != ok {
			t.Errorf("VNI %d: %v", vni, err)
		}
	}
}

func TestRouteDistinguisherOctets(t *testing.T) {
	for _, test := range []struct{ text, octets string }{
		{"192.0.2.1:258", "0001 c0000201 0102"},
		{"65000:10100", "0000 fde8 00002774"},
		{"4200000000:7", "0002 fa56ea00 0007"},
		{"0.65000:7", "0002 0000fde8 0007"},
		{"0x0103c00002010001", "0103 c0000201 0001"},
	} {
		rd, err := evpn.ParseRD(test.text)
		if want := evpn.RouteDistinguisher(octets(t, test.octets)); err != nil || rd != want || want.String() != test.text {
			t.Errorf("%s: got %x, %v; want %x, printed %s", test.text, rd, err, want, want)
		}
	}
	rd := evpn.NewRD(routerID(t, "192.0.2.1"), 258)
	if id, n, ok := rd.Split(); rd.String() != "192.0.2.1:258" || id.String() != "192.0.2.1" || n != 258 || !ok {
		t.Errorf("split %v: %v %v %v", rd, id, n, ok)
	}
	for _, other := range []string{"65000:1", "4200000000:1", "0x0101c00002010001"} {
		rd, _ := evpn.ParseRD(other)
		if id, n, ok := rd.Split(); ok || id != 0 || n != 0 {
			t.Errorf("split %v: taken for type 1", rd)
		}
	}
}

func TestRouteTargetOctets(t *testing.T) {
	nve := routerID(t, "192.0.2.1")
	parse := func(s string) evpn.RouteTarget {
		rt, err := evpn.ParseRouteTarget(s)
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	for _, test := range []struct {
		name         string
		rt           evpn.RouteTarget
		octets, text string
		vni          evpn.VNI // 0: none
	}{
		{"to an NVE", evpn.RequestTarget(nve), "0002 20ca c0000201", "8394:3221225985", 0},
		{"to a TES", evpn.ResponseTarget(nve), "0002 20cb c0000201", "8395:3221225985", 0},
		{"automatic", evpn.AutoRouteTarget(65000, 10100), "0002 fde8 00002774", "65000:10100", 10100},
		{"automatic, AS of four octets", evpn.AutoRouteTarget(4200000000, evpn.MaxVNI), "0002 ea00 00ffffff", "59904:16777215", evpn.MaxVNI},
		{"RFC 8365", evpn.RFC8365RouteTarget(65000, 10100), "0002 fde8 10002774", "65000:268445556", 10100},
		{"IPv4", parse("192.0.2.1:100"), "0102 c0000201 0064", "192.0.2.1:100", 0},
		{"AS of four octets", parse("4200000000:100"), "0202 fa56ea00 0064", "4200000000:100", 0},
		{"no route target", parse("0x030c000000000008"), "030c 0000 00000008", "0x030c000000000008", 0},
	} {
		want := evpn.RouteTarget(octets(t, test.octets))
		if test.rt != want || test.rt.String() != test.text || parse(test.text) != test.rt {
			t.Errorf("%s: got %x %v; want %x %s", test.name, test.rt, test.rt, want, test.text)
		}
		if vni, ok := test.rt.VNI(); vni != test.vni || ok != (test.vni != 0) {
			t.Errorf("%s: VNI %d, %v; want %d", test.name, vni, ok, test.vni)
		}
	}
}

// No TES-ID or NVE-ID makes a signalling target that some VN imports by its VNI (SPEC, Terms; §1).
func TestSignallingTargetsAreNoVNs(t *testing.T) {
	for high := range uint32(256) {
		for _, low := range []uint32{0, 1, 10100, 1<<24 - 1} {
			id := evpn.RouterID(high<<24 | low)
			_, request := evpn.RequestTarget(id).VNI()
			_, response := evpn.ResponseTarget(id).VNI()
			if id.Check() == nil && (request || response) {
				t.Errorf("router-id %v is allowed and reads as a VNI", id)
			}
		}
	}
}

func TestHashVNName(t *testing.T) {
	if got := evpn.HashVNName("blue"); got != blue || got.String() != "16477688c0e00699c6cfa449" {
		t.Errorf("got %v, want %v", got, blue)
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct {
		value interface{ String() string }
		want  string
	}{
		{evpn.Op(0), "op 0"}, {evpn.PreAssociate, "pre-associate"}, {evpn.Associate, "associate"}, {evpn.Suspend, "suspend"},
		{evpn.Resume, "resume"}, {evpn.Emigrate, "emigrate"}, {evpn.Terminate, "terminate"}, {evpn.Op(7), "op 7"},
		{evpn.StateNull, "null"}, {evpn.StatePreAssociated, "pre-associated"}, {evpn.StateAssociated, "associated"},
		{evpn.StateSuspended, "suspended"}, {evpn.StateEmigrating, "emigrating"}, {evpn.StateTerminated, "terminated"}, {evpn.State(6), "state 6"},
		{evpn.Success, "success"}, {evpn.Fail, "fail"}, {evpn.FailKept, "fail-kept"}, {evpn.Pending, "pending"}, {evpn.Status(4), "status 4"},
		{evpn.Reason(0), "none"}, {evpn.Reason(1), "invalid format"}, {evpn.Reason(2), "non-sufficient resources"},
		{evpn.Reason(3), "policy source not reachable"}, {evpn.Reason(4), "other"}, {evpn.Reason(5), "invalid VN, MAC or tag"},
		{evpn.Reason(6), "failed authorization"}, {evpn.Reason(7), "conflict policies"}, {evpn.Reason(8), "too busy"},
		{evpn.Reason(9), "wrong state"}, {evpn.Reason(10), "unknown VM"}, {evpn.Reason(11), "unknown VN"}, {evpn.Reason(12), "stale sequence"},
		{evpn.Reason(13), "bad, missing or expired credential"}, {evpn.Reason(14), "duplicate VM, MAC or IP"}, {evpn.Reason(15), "quota"},
		{evpn.Reason(16), "aged out"}, {evpn.Reason(17), "NVE draining"}, {evpn.Reason(18), "incomplete set"},
		{evpn.UnsupportedType, "unsupported address or tag type"}, {evpn.Reason(20), "reason 20"},
		{evpn.Flags(0), ""}, {evpn.FlagImmigration | evpn.FlagKeepAlive | evpn.FlagDryRun, "MKD"}, {evpn.FlagKeepAlive, "K"},
		{evpn.Subtype(0x0c), "ECHO"}, {evpn.Subtype(0x0d), "sub-type 0x0d"}, {evpn.Subtype(0xff), "sub-type 0xff"}, {evpn.Subtype(0), "sub-type 0x00"},
	} {
		if got := test.value.String(); got != test.want {
			t.Errorf("%T: got %q, want %q", test.value, got, test.want)
		}
	}
}

// What a speaker reports can be recorded and read again, whatever a foreign peer had put in.
func TestRouteAsJSON(t *testing.T) {
	expiry := uint32(1800000000)
	for name, value := range map[string]any{
		"full": &evpn.Route{
			RouteKey:         evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(routerID(t, "192.0.2.1"), 1), Tag: 7, MAC: mac, IP: ip6},
			ESI:              evpn.ESI{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
			Label:            10100,
			NextHop:          ip4,
			PMSI:             &evpn.PMSITunnel{Type: evpn.IngressReplication, Label: 10100, ID: ip4},
			Communities:      []evpn.ExtendedCommunity{evpn.EncapsulationVXLAN, {0x88, 0x7f, 1, 2, 3, 4, 5, 6}},
			LargeCommunities: []evpn.LargeCommunity{{Global: 65000, Data1: 100021, Data2: 7}},
			OriginatorID:     routerID(t, "198.51.100.11"),
		},
		"zero": &evpn.Route{},
		"what nobody may configure": &evpn.Route{
			RouteKey:     evpn.RouteKey{RD: evpn.RouteDistinguisher{9, 9}, MAC: evpn.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
			OriginatorID: 16 << 24,
		},
		"request": &evpn.Request{
			Op: evpn.Associate, Base: evpn.StatePreAssociated, Flags: evpn.FlagImmigration, Sequence: 7, VM: vm, Index: 1, Count: 1,
			VNName: &blue, Expiry: &expiry,
		},
		"targets": &[]evpn.RouteTarget{evpn.RequestTarget(1 << 24), evpn.AutoRouteTarget(65000, 1)},
		"result":  &evpn.Response{VM: &vm, Status: evpn.FailKept, State: evpn.StateSuspended, Reason: evpn.WrongState},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back := reflect.New(reflect.TypeOf(value).Elem()).Interface()
		if err := json.Unmarshal(text, back); err != nil || !reflect.DeepEqual(back, value) {
			t.Errorf("%s: %s\nread again: %+v, %v", name, text, back, err)
		}
	}
}

func TestUnmarshalTextRefuses(t *testing.T) {
	for _, v := range []encoding.TextUnmarshaler{
		new(evpn.MAC), new(evpn.RouterID), new(evpn.VMID), new(evpn.RouteDistinguisher), new(evpn.RouteTarget), new(evpn.ESI), new(evpn.VNName),
		new(evpn.ExtendedCommunity), new(evpn.Op), new(evpn.State), new(evpn.Status), new(evpn.Reason),
	} {
		for _, text := range []string{"", "x", "0x01", "1:2:3:4:5", "0x88000000000000001"} {
			if err := v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T takes %q", v, text)
			}
		}
	}
}
