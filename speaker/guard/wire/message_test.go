package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

const header = "ffffffffffffffffffffffffffffffff "

func TestCheckHeader(t *testing.T) {
	tests := []struct {
		name    string
		octets  string
		subcode uint8 // 0: it is right
		data    string
	}{
		{"KEEPALIVE", header + "0013 04", 0, ""},
		{"longest UPDATE", header + "1000 02", 0, ""},
		{"marker", "ffffffffffffffffffffffffffffff7f 0013 04", HeaderNotSynchronized, ""},
		{"shorter than a header", header + "0012 04", HeaderBadLength, "0012"},
		{"longer than a message", header + "1001 02", HeaderBadLength, "1001"},
		{"short OPEN", header + "001c 01", HeaderBadLength, "001c"},
		{"short UPDATE", header + "0016 02", HeaderBadLength, "0016"},
		{"short NOTIFICATION", header + "0014 03", HeaderBadLength, "0014"},
		{"long KEEPALIVE", header + "0014 04", HeaderBadLength, "0014"},
		{"type 0", header + "0013 00", HeaderBadType, "00"},
		{"type 6", header + "0013 06", HeaderBadType, "06"},
	}
	for _, tt := range tests {
		_, _, err := CheckHeader(unhex(tt.octets))
		var e *Error
		switch {
		case tt.subcode == 0 && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.subcode == 0:
		case !errors.As(err, &e):
			t.Errorf("%s: %v, must be a *Error", tt.name, err)
		case e.Code != HeaderError || e.Subcode != tt.subcode || !bytes.Equal(e.Data, unhex(tt.data)):
			t.Errorf("%s: NOTIFICATION %d/%d %x, must be 1/%d %s", tt.name, e.Code, e.Subcode, e.Data, tt.subcode, tt.data)
		}
	}
}

func TestReadMessage(t *testing.T) {
	stream := cat(AppendKeepalive(nil), request(), AppendKeepalive(nil))
	r, buf := iotest.OneByteReader(bytes.NewReader(stream)), make([]byte, MaxLength)
	for _, want := range [][]byte{AppendKeepalive(nil), request(), AppendKeepalive(nil)} {
		got, err := ReadMessage(r, buf)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, %v, must be %x", got, err, want)
		}
	}
	if _, err := ReadMessage(r, buf); err != io.EOF {
		t.Errorf("between messages: %v, must be EOF", err)
	}
	for _, n := range []int{5, HeaderLength, 40} {
		if _, err := ReadMessage(bytes.NewReader(request()[:n]), buf); err != io.ErrUnexpectedEOF {
			t.Errorf("after %d octets: %v, must be an unexpected EOF", n, err)
		}
	}
	var e *Error
	if _, err := ReadMessage(bytes.NewReader(make([]byte, 19)), buf); !errors.As(err, &e) || e.Subcode != HeaderNotSynchronized {
		t.Errorf("zeros: %v", err)
	}
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name   string
		octets string
		open   Open
	}{
		{"without capabilities", header + "001d 01 04 fde8 005a c0000201 00", Open{AS: 65000, HoldTime: 90, RouterID: 0xc0000201}},
		{
			"ours", header + "003d 01 04 5ba0 0009 c0000201 20" +
				"02 1e 0104 0019 0046 0104 0001 0084 0200 4600 4104 fffffde8 4006 c001 0019 4680",
			Open{
				AS: 0xfffffde8, HoldTime: 9, RouterID: 0xc0000201, FourOctetAS: true, Families: []Family{EVPN, RouteTargets}, RouteRefresh: true, EnhancedRefresh: true,
				GracefulRestart: &GracefulRestart{Restarted: true, Notification: true, Time: 1, Families: []RestartFamily{{EVPN, true}}},
			},
		},
		{
			"with what we do not offer", header + "002d 01 04 fde8 0000 c0000201 10" + "02 0e 0600 4504 0019 4603 4904 02686900",
			Open{
				AS: 65000, RouterID: 0xc0000201, ExtendedMessage: true, AddPath: []AddPath{{EVPN, 3}}, Unknown: []Capability{{73, []byte{2, 'h', 'i', 0}}},
			},
		},
	}
	for _, tt := range tests {
		b := unhex(tt.octets)
		got, err := ParseOpen(b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !reflect.DeepEqual(*got, tt.open) {
			t.Errorf("%s: %+v, must be %+v", tt.name, *got, tt.open)
		}
		if again := got.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: written as %x, must be %x", tt.name, again, b)
		}
		if _, err := bgp.ParseBGPMessage(b); err != nil {
			t.Errorf("%s: GoBGP: %v", tt.name, err)
		}
	}
}

func TestCapabilitiesOfManyParameters(t *testing.T) {
	b := unhex(header + "0000 01 04 fde8 005a c0000201 00 0206 0104 0019 0046 0202 0200 0206 4104 0000fde8")
	b[17], b[28] = byte(len(b)), byte(len(b)-29)
	o, err := ParseOpen(b)
	if err != nil || !o.RouteRefresh || !o.FourOctetAS || len(o.Families) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestLongOpen(t *testing.T) {
	o := &Open{AS: 65000, HoldTime: 90, RouterID: 1 << 24, Families: []Family{EVPN}}
	for code := byte(200); code < 210; code++ {
		o.Unknown = append(o.Unknown, Capability{code, bytes.Repeat([]byte{code}, 100)})
	}
	b := o.Append(nil)
	if b[28] != extendedParams || b[29] != extendedParams {
		t.Fatalf("not in the form of RFC 9072: %x", b[:40])
	}
	if got, err := ParseOpen(b); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMalformedOpen(t *testing.T) {
	tests := []struct {
		name    string
		body    string
		subcode uint8
		data    string
	}{
		{"version 3", "03 fde8 005a c0000201 00", OpenUnsupportedVersion, "0004"},
		{"AS 0", "04 0000 005a c0000201 00", OpenBadPeerAS, ""},
		{"AS 0 in four octets", "04 fde8 005a c0000201 08 0206 4104 00000000", OpenBadPeerAS, ""},
		{"hold time 2", "04 fde8 0002 c0000201 00", OpenUnacceptableHoldTime, ""},
		{"identifier 0", "04 fde8 005a 00000000 00", OpenBadRouterID, ""},
		{"parameters cut off", "04 fde8 005a c0000201 09 0202 0200", 0, ""},
		{"octets after the parameters", "04 fde8 005a c0000201 00 00", 0, ""},
		{"one octet of a parameter", "04 fde8 005a c0000201 01 02", 0, ""},
		{"parameter beyond the message", "04 fde8 005a c0000201 02 0203", 0, ""},
		{"authentication parameter", "04 fde8 005a c0000201 03 0101 00", OpenUnsupportedParameter, ""},
		{"capability cut off", "04 fde8 005a c0000201 03 0201 02", 0, ""},
		{"capability beyond its parameter", "04 fde8 005a c0000201 04 0202 0209", 0, ""},
		{"multiprotocol of 3 octets", "04 fde8 005a c0000201 07 0205 0103 001900", 0, ""},
		{"route refresh with a value", "04 fde8 005a c0000201 05 0203 0201 00", 0, ""},
		{"four-octet AS of 2", "04 fde8 005a c0000201 06 0204 4102 fde8", 0, ""},
		{"graceful restart of 3 octets", "04 fde8 005a c0000201 07 0205 4003 000100", 0, ""},
		{"add-path of 3 octets", "04 fde8 005a c0000201 07 0205 4503 001946", 0, ""},
	}
	for _, tt := range tests {
		b := unhex(header + "0000 01" + tt.body)
		b[17] = byte(len(b))
		_, err := ParseOpen(b)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, must be a *Error", tt.name, err)
			continue
		}
		if e.Code != OpenError || e.Subcode != tt.subcode || !bytes.Equal(e.Data, unhex(tt.data)) {
			t.Errorf("%s: NOTIFICATION %d/%d %x, must be 2/%d %s", tt.name, e.Code, e.Subcode, e.Data, tt.subcode, tt.data)
		}
		if end := e.Offset + len(e.Octets); end > len(b) || !bytes.Equal(b[e.Offset:end], e.Octets) {
			t.Errorf("%s: octets %x at %d are not those of the message", tt.name, e.Octets, e.Offset)
		}
	}
}

func TestNegotiate(t *testing.T) {
	ours := &Open{AS: 65000, RouterID: 7, FourOctetAS: true, Families: []Family{EVPN, RouteTargets}}
	tests := []struct {
		name   string
		theirs Open
		want   Session
	}{
		{"the same", *ours, Session{Families: []Family{EVPN, RouteTargets}, FourOctetAS: true, Internal: true, AS: 65000, RouterID: 7}},
		{"FRR, another AS", Open{AS: 65001, FourOctetAS: true, Families: []Family{IPv4Unicast, EVPN}}, Session{Families: []Family{EVPN}, FourOctetAS: true, AS: 65000, RouterID: 7}},
		{"old", Open{AS: 65000}, Session{Internal: true, AS: 65000, RouterID: 7}},
	}
	for _, tt := range tests {
		if got := Negotiate(ours, &tt.theirs); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, must be %+v", tt.name, got, tt.want)
		}
	}
	if s := Negotiate(&Open{AS: 1}, &Open{AS: 2}); !s.Has(IPv4Unicast) || s.Has(EVPN) {
		t.Errorf("without capabilities: %v, must be IPv4", s.Families)
	}
}

func TestNotification(t *testing.T) {
	n := ShutdownNotification(CeaseAdminShutdown, "maintenance até às 5")
	want := unhex(header + "002c 03 06 02 16 6d61696e74656e616e636520 6174c3a9 20 c3a073 20 35")
	want[17] = byte(len(want))
	if got := n.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("%x, must be %x", got, want)
	}
	got, err := ParseNotification(want)
	if text, ok := got.ShutdownText(); err != nil || !ok || text != "maintenance até às 5" {
		t.Errorf("%q, %v, %v", text, ok, err)
	}
	if s := got.String(); s != `6/2 administrative shutdown: "maintenance até às 5"` {
		t.Error(s)
	}
	for data, name := range map[string]string{"": "no text", "\x00": "empty", "\x05abc": "cut off", "\x02\xff\xfe": "not UTF-8"} {
		if text, ok := (Notification{Cease, CeaseAdminReset, []byte(data)}).ShutdownText(); ok {
			t.Errorf("%s: %q", name, text)
		}
	}
	long := ShutdownNotification(CeaseAdminReset, strings.Repeat("é", 200))
	if text, ok := long.ShutdownText(); !ok || text != strings.Repeat("é", 127) {
		t.Errorf("a text of 400 octets is cut to %d: %q", len(text), text)
	}
	if b := (Notification{Code: UpdateError, Data: make([]byte, 5000)}).Append(nil); len(b) != MaxLength {
		t.Errorf("a NOTIFICATION of %d octets", len(b))
	}
	if !(Notification{Cease, CeaseHardReset, []byte{6, 2}}).HardReset() {
		t.Error("6/9 is no hard reset")
	}
	for n, want := range map[[2]uint8]string{{4, 0}: "4/0 hold timer expired", {3, 11}: "3/11 malformed AS_PATH", {9, 1}: "9/1", {6, 99}: "6/99 cease"} {
		if s := (Notification{Code: Code(n[0]), Subcode: n[1]}).String(); s != want {
			t.Errorf("%s, must be %s", s, want)
		}
	}
}

func TestRouteRefresh(t *testing.T) {
	for octets, want := range map[string]RouteRefresh{
		header + "0017 05 0019 00 46": {EVPN, RefreshRequest},
		header + "0017 05 0019 01 46": {EVPN, RefreshBegin},
		header + "0017 05 0001 02 84": {RouteTargets, RefreshEnd},
	} {
		b := unhex(octets)
		if got, err := ParseRouteRefresh(b); err != nil || got != want {
			t.Errorf("%+v, %v, must be %+v", got, err, want)
		}
		if got := want.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("%x, must be %x", got, b)
		}
	}
	var e *Error
	long := unhex(header + "0018 05 0019 01 46 00")
	if _, err := ParseRouteRefresh(long); !errors.As(err, &e) || e.Code != RefreshError || e.Subcode != RefreshBadLength || !bytes.Equal(e.Data, long) {
		t.Errorf("BoRR of 24 octets: %v", err)
	}
	if r, err := ParseRouteRefresh(unhex(header + "0018 05 0019 00 46 00")); err != nil || r.Family != 0 {
		t.Errorf("request of 24 octets: %+v, %v, must be ignored", r, err)
	}
}

func TestWrongMessage(t *testing.T) {
	keepalive := AppendKeepalive(nil)
	if _, err := ParseOpen(keepalive); err == nil {
		t.Error("a KEEPALIVE is read as an OPEN")
	}
	if _, err := ParseNotification(append(keepalive, 0)); err == nil {
		t.Error("a message with an octet too many is read")
	}
	if v := NewFilter(everyFamily).Update(keepalive); v.Reset == nil {
		t.Error("a KEEPALIVE is read as an UPDATE")
	}
	if TypeOf(keepalive) != TypeKeepalive || TypeKeepalive.String() != "KEEPALIVE" || Type(9).String() != "message type 9" {
		t.Error("types")
	}
}
