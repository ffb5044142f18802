package evpn_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

var nlris = []struct {
	name   string
	route  evpn.Route
	key    string
	octets string
}{
	{
		"type 2 without IP",
		evpn.Route{RouteKey: evpn.RouteKey{Type: 2, RD: evpn.NewRD(0xc0000201, 1), MAC: mac}, Label: 10100},
		"192.0.2.1:1 [2]:[0]:[48]:[02:00:00:00:00:01]",
		"02 21 0001c00002010001 00000000000000000000 00000000 30 020000000001 00 002774",
	},
	{
		"type 2 with IPv4, ESI and ETag",
		evpn.Route{
			RouteKey: evpn.RouteKey{Type: 2, RD: evpn.NewRD(0xc0000201, 258), Tag: 0xc633640b, MAC: mac, IP: ip4},
			ESI:      evpn.ESI{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, Label: evpn.MaxVNI,
		},
		"192.0.2.1:258 [2]:[3325256715]:[48]:[02:00:00:00:00:01]:[32]:[192.0.2.1]",
		"02 25 0001c00002010102 00010203040506070809 c633640b 30 020000000001 20 c0000201 ffffff",
	},
	{
		"type 2 with IPv6, label 0",
		evpn.Route{RouteKey: evpn.RouteKey{Type: 2, RD: evpn.NewRD(0xc0000201, 1), MAC: mac, IP: ip6}},
		"192.0.2.1:1 [2]:[0]:[48]:[02:00:00:00:00:01]:[128]:[2001:db8::1]",
		"02 31 0001c00002010001 00000000000000000000 00000000 30 020000000001 80 20010db8000000000000000000000001 000000",
	},
	{
		"type 3 IPv4",
		evpn.Route{RouteKey: evpn.RouteKey{Type: 3, RD: evpn.NewRD(0xc0000201, 0), Tag: 0xc0000201, IP: netip.MustParseAddr("198.51.100.11")}},
		"192.0.2.1:0 [3]:[3221225985]:[32]:[198.51.100.11]",
		"03 11 0001c00002010000 c0000201 20 c633640b",
	},
	{
		"type 3 IPv6",
		evpn.Route{RouteKey: evpn.RouteKey{Type: 3, RD: evpn.NewRD(0xc0000201, 0), IP: ip6}},
		"192.0.2.1:0 [3]:[0]:[128]:[2001:db8::1]",
		"03 1d 0001c00002010000 00000000 80 20010db8000000000000000000000001",
	},
}

func TestNLRIOctets(t *testing.T) {
	for _, test := range nlris {
		want := octets(t, test.octets)
		if got, err := test.route.AppendNLRI([]byte{0xaa}); err != nil || !bytes.Equal(got[1:], want) || got[0] != 0xaa {
			t.Errorf("%s: wrote\n%x, %v, want\n%x", test.name, got, err, want)
		}
		got, rest, err := evpn.DecodeNLRI(append(want, 0xbb))
		if err != nil || len(rest) != 1 || rest[0] != 0xbb {
			t.Errorf("%s: rest %x, %v", test.name, rest, err)
		}
		if got.RouteKey != test.route.RouteKey || got.ESI != test.route.ESI || got.Label != test.route.Label {
			t.Errorf("%s: read %+v, want %+v", test.name, got, test.route)
		}
		if got.RouteKey.String() != test.key {
			t.Errorf("%s: key %s, want %s", test.name, got.RouteKey, test.key)
		}
		for n := range len(want) {
			if _, _, err := evpn.DecodeNLRI(want[:n]); err == nil {
				t.Errorf("%s: read though cut off after %d octets", test.name, n)
			}
			short := bytes.Clone(want[:max(n, 2)])
			short[1] = byte(len(short) - 2)
			if _, _, err := evpn.DecodeNLRI(short); err == nil {
				t.Errorf("%s: read though shortened to %d octets", test.name, n)
			}
		}
	}
}

func TestNLRISkipsLabel2(t *testing.T) {
	b := octets(t, "02 24 0001c00002010001 00000000000000000000 00000000 30 020000000001 00 002774 000fa1")
	if r, rest, err := evpn.DecodeNLRI(b); err != nil || len(rest) != 0 || r.Label != 10100 {
		t.Errorf("read %+v, %x, %v", r, rest, err)
	}
}

func TestNLRIRefuses(t *testing.T) {
	for _, test := range []struct{ octets, text string }{
		{"", "cut off after 0 octets"},
		{"02", "cut off after 1 octets"},
		{"01 19 0001c00002010001 00000000000000000000 00000000 000010", "route type 1, only 2 and 3 are known"},
		{"02 00", "type 2 of 0 octets, at least 33 are needed"},
		{"02 21 0001c00002010001 00000000000000000000 00000000 40 020000000001 00 002774", "MAC of 64 bits, it has 48"},
		{"02 21 0001c00002010001 00000000000000000000 00000000 30 020000000001 21 002774", "IP address of 33 bits, it has 32 or 128"},
		{"02 21 0001c00002010001 00000000000000000000 00000000 30 020000000001 20 002774", "IP address of 32 bits in 3 octets"},
		{"02 22 0001c00002010001 00000000000000000000 00000000 30 020000000001 00 002774 00", "4 octets of labels"},
		{"02 27 0001c00002010001 00000000000000000000 00000000 30 020000000001 00 002774 002774 002774", "9 octets of labels"},
		{"03 0c 0001c00002010000 c0000201", "type 3 of 12 octets, at least 17 are needed"},
		{"03 0d 0001c00002010000 c0000201 00", "IP address of 0 bits, it has 32 or 128"},
		{"03 12 0001c00002010000 c0000201 20 c633640b 00", "type 3 with 1 octets too many"},
	} {
		_, _, err := evpn.DecodeNLRI(octets(t, test.octets))
		if err == nil || !strings.HasPrefix(err.Error(), "read NLRI: ") || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: error %v, want one that says %q", test.octets, err, test.text)
		}
	}
	for _, test := range []struct {
		key  evpn.RouteKey
		text string
	}{
		{evpn.RouteKey{Type: 3}, "write NLRI: route type 3 without the originating router's address"},
		{evpn.RouteKey{Type: 5}, "write NLRI: route type 5, only 2 and 3 are known"},
	} {
		if _, err := (&evpn.Route{RouteKey: test.key}).AppendNLRI(nil); err == nil || err.Error() != test.text {
			t.Errorf("%v: error %v, want %q", test.key, err, test.text)
		}
	}
}

func TestPMSITunnelOctets(t *testing.T) {
	for _, test := range []struct {
		pmsi   evpn.PMSITunnel
		octets string
	}{
		{evpn.PMSITunnel{Type: evpn.IngressReplication, Label: 10100, ID: ip4}, "00 06 002774 c0000201"},
		{evpn.PMSITunnel{Type: evpn.IngressReplication, Label: evpn.MaxVNI, ID: ip6}, "00 06 ffffff 20010db8000000000000000000000001"},
		{evpn.PMSITunnel{}, "00 00 000000"},
	} {
		want := octets(t, test.octets)
		if got := test.pmsi.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%+v: wrote %x, want %x", test.pmsi, got, want)
		}
		want[0] = 0xff // flags are ignored
		if got, err := evpn.DecodePMSITunnel(want); err != nil || got != test.pmsi {
			t.Errorf("%s: read %+v, %v", test.octets, got, err)
		}
	}
	if got, err := evpn.DecodePMSITunnel(octets(t, "00 03 000001 0102030405")); err != nil || got != (evpn.PMSITunnel{Type: 3, Label: 1}) {
		t.Errorf("another type: read %+v, %v", got, err)
	}
	for _, bad := range []string{"", "00 06 0027", "00 06 002774", "00 06 002774 c00002", "00 06 002774 c000020100"} {
		if got, err := evpn.DecodePMSITunnel(octets(t, bad)); err == nil {
			t.Errorf("%s: read %+v", bad, got)
		}
	}
}
