package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard/mrt"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// decodeText is what `tnsctl decode` prints for people.
func decodeText(t *testing.T, in []byte, flags ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), append([]string{"decode"}, flags...), bytes.NewReader(in), &out, &errs); status != exitDone {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	return out.String()
}

// recording is a recording of one peer's messages.
func recording(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = mrt.Record{
			At: time.Unix(1700000000, 250000), PeerAS: 65001, LocalAS: 65000, Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.2"), Message: m,
		}.Append(b)
	}
	return b
}

// message is a message of a type with a body in hexadecimal, with spaces.
func message(typ byte, body string) []byte {
	octets, err := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
	if err != nil {
		panic(err)
	}
	size := wire.HeaderLength + len(octets)
	return append(append(bytes.Repeat([]byte{0xff}, 16), byte(size>>8), byte(size), typ), octets...)
}

// What a message says is on its line, and what of it cannot be read is shown with its octets.
func TestDecodeMessages(t *testing.T) {
	const nlri3 = "03 11 0001c00002010001 00000000 20 c0000201"
	attribute := func(typ byte, value string) string {
		return fmt.Sprintf("80 %02x %02x", typ, len(strings.ReplaceAll(value, " ", ""))/2) + value
	}
	update := func(attributes ...string) []byte {
		all := strings.ReplaceAll(strings.Join(attributes, ""), " ", "")
		return message(2, fmt.Sprintf("0000 %04x", len(all)/2)+all)
	}
	for name, c := range map[string]struct {
		msg  []byte
		want string // behind time and peer
	}{
		"KEEPALIVE": {message(4, ""), "received KEEPALIVE\n"},
		"OPEN": {
			(&wire.Open{
				AS: 4200000000, HoldTime: 9, RouterID: 0xc0000201, FourOctetAS: true, Families: []wire.Family{wire.EVPN, wire.RouteTargets}, RouteRefresh: true,
				EnhancedRefresh: true, ExtendedMessage: true, AddPath: []wire.AddPath{{Family: wire.EVPN, Mode: 3}}, Unknown: []wire.Capability{{Code: 73, Value: []byte{1}}, {Code: 128}},
				GracefulRestart: &wire.GracefulRestart{Restarted: true, Notification: true, Time: 120, Families: []wire.RestartFamily{{Family: wire.EVPN, Preserved: true}}},
			}).Append(nil),
			"received OPEN AS 4200000000 router-id 192.0.2.1 hold time 9 s, l2vpn-evpn, route-targets, four-octet-as, route-refresh, enhanced-refresh, " +
				"extended-message, graceful-restart 120 s restarted notification l2vpn-evpn preserved, add-path l2vpn-evpn mode 3, capability 73 01, capability 128\n",
		},
		"an OPEN that cannot be": {
			message(1, "03 fde8 005a c0000201 00"),
			"received OPEN\n    unread, OPEN: version 3, 4 is supported: ffffffffffffffffffffffffffffffff001d0103fde8005ac000020100\n",
		},
		"NOTIFICATION with a text": {
			wire.ShutdownNotification(wire.CeaseAdminShutdown, "bye").Append(nil), "received NOTIFICATION 6/2 administrative shutdown: \"bye\" data 03627965\n",
		},
		"NOTIFICATION":                      {message(3, "0400"), "received NOTIFICATION 4/0 hold timer expired\n"},
		"a NOTIFICATION nobody knows":       {message(3, "0963 07"), "received NOTIFICATION 9/99 data 07\n"},
		"ROUTE-REFRESH":                     {message(5, "0019 00 46"), "received ROUTE-REFRESH l2vpn-evpn request\n"},
		"a ROUTE-REFRESH that begins":       {message(5, "0019 01 46"), "received ROUTE-REFRESH l2vpn-evpn begin\n"},
		"a ROUTE-REFRESH of an odd kind":    {message(5, "0019 07 46"), "received ROUTE-REFRESH l2vpn-evpn 7\n"},
		"a ROUTE-REFRESH of a wrong length": {message(5, "0019 00"), "received ROUTE-REFRESH\n    unread, ROUTE-REFRESH of 22 octets, it has 23: ffffffffffffffffffffffffffffffff001605001900\n"},
		"a type nobody knows":               {message(9, "07"), "received message type 9\n    unread, unknown message type 9: ffffffffffffffffffffffffffffffff00140907\n"},
		"a marker that is none": {
			append([]byte{0}, message(4, "")[1:]...), "received KEEPALIVE\n    unread, marker is not all ones: 00ffffffffffffffffffffffffffffff001304\n",
		},
		"octets behind the message": {append(message(4, ""), 7), "received KEEPALIVE\n    unread, after the message: 07\n"},
		"a message that is cut off": {message(3, "0400")[:20], "received NOTIFICATION\n    unread, cut off: ffffffffffffffffffffffffffffffff00150304\n"},
		"a header that is cut off":  {message(3, "0400")[:17], "received message\n    unread, cut off: ffffffffffffffffffffffffffffffff00\n"},
		"End-of-RIB":                {update(attribute(15, "001946")), "received UPDATE End-of-RIB l2vpn-evpn\n"},
		"a route with the label of its tunnel, reflected": {
			update(attribute(14, "0019 46 04 c0000202 00"+nlri3), attribute(16, "0002fde800002774"), attribute(22, "00 06 002774 c0000202"), attribute(9, "c0000207")),
			"received UPDATE\n    announce type 3 rd 192.0.2.1:1 etag 0 ip 192.0.2.1 label 10100 next hop 192.0.2.2 originator 192.0.2.7\n" +
				"        0002fde800002774  RT 65000:10100\n",
		},
		"a next hop with a link-local one": {
			update(attribute(14, "0019 46 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00"+nlri3)),
			"received UPDATE\n    announce type 3 rd 192.0.2.1:1 etag 0 ip 192.0.2.1 label 0 next hop 2001:db8::1\n",
		},
		"a next hop that is none": {
			update(attribute(14, "0019 46 02 c000 00"+nlri3)), "received UPDATE\n    announce type 3 rd 192.0.2.1:1 etag 0 ip 192.0.2.1 label 0 next hop c000\n",
		},
		"routes that we do not use": {
			update(attribute(15, "0019 46"+
				"01 19 0001c00002010001 00112233445566778899 00000007 002774"+
				"04 17 0001c00002010001 00112233445566778899 20 c0000201"+
				"05 22 0001c00002010001 00000000000000000000 00000000 18 0a010000 c0000209 0003e9"+
				"09 03 010203"+"02 08 0001c00002010001")),
			"received UPDATE\n" +
				"    withdraw type 1 rd 192.0.2.1:1 esi 00:11:22:33:44:55:66:77:88:99 etag 7\n" +
				"    withdraw type 4 rd 192.0.2.1:1 esi 00:11:22:33:44:55:66:77:88:99 ip 192.0.2.1\n" +
				"    withdraw type 5 rd 192.0.2.1:1 etag 0 prefix 10.1.0.0/24 gateway 192.0.2.9\n" +
				"    withdraw type 9 octets 010203\n    withdraw type 2 octets 0001c00002010001\n",
		},
		"memberships": {
			update(attribute(15, "0001 84 00 60 0000fde8 000220cac0000201 28 0000fde8 00")),
			"received UPDATE\n    withdraw route-targets all\n    withdraw route-targets as 65000 RT 8394:3221225985\n" +
				"    withdraw route-targets octets 280000fde800\n",
		},
		"IPv4": {message(2, "0003 10 0a01 0000"), "received UPDATE\n    withdraw ipv4-unicast 10.1.0.0/16\n"},
		"attributes of a wrong length": {
			update(attribute(16, "000000"), attribute(32, "07"), attribute(9, "c000"), attribute(22, "0006")),
			"received UPDATE\n    unread, attribute 16: 000000\n    unread, attribute 32: 07\n    unread, attribute 9: c000\n    unread, PMSI_TUNNEL: 0006\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1700000000, 250000).Local().Format("2006-01-02 15:04:05.000000")
			if got, want := decodeText(t, recording(c.msg)), at+" 192.0.2.1 "+c.want; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			var views []messageView
			if err := json.Unmarshal([]byte(decodeText(t, recording(c.msg), "--json")), &views); err != nil || len(views) != 1 {
				t.Fatalf("%d objects, %v", len(views), err)
			}
			if got := views[0].text(); got != at+" 192.0.2.1 "+c.want {
				t.Errorf("the object says\n%s", got)
			}
		})
	}
}

// A recording that ends inside a record, as one that is being written may, is told as far as it goes.
func TestDecodeCutOff(t *testing.T) {
	whole := recording(message(4, ""))
	for n := range whole {
		if n < mrtHeader {
			continue // of so little it cannot be told that it is a recording, unless one stands before it
		}
		text := decodeText(t, whole[:n])
		if !strings.Contains(text, "record 17/4\n    unread, unexpected EOF after ") || !strings.Contains(text, hex.EncodeToString(whole[mrtHeader:n])) {
			t.Errorf("of %d octets:\n%s", n, text)
		}
	}
	text := decodeText(t, append(bytes.Clone(whole), whole[:5]...))
	if !strings.HasSuffix(text, "received KEEPALIVE\nrecord 0/0\n    unread, unexpected EOF inside its header: 6553f10000\n") {
		t.Errorf("of five octets behind a record:\n%s", text)
	}
}

// Whatever is read, it is told, in text and in JSON, or refused.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"frr.mrt", "gobgp.mrt"} {
		b, err := os.ReadFile(filepath.Join("testdata", "recordings", name))
		if err != nil {
			f.Fatal(err)
		}
		for len(b) > 0 { // small seeds are varied faster
			size := mrtHeader + int(binary.BigEndian.Uint32(b[8:]))
			f.Add(b[:size])
			b = b[size:]
		}
	}
	f.Add([]byte("8801120869224e80"))
	f.Add([]byte(`[{"nlri":{"type":3,"value":{}},"attrs":[{"type":16,"value":[{"type":136,"value":"ARIIaSJOgA=="}]}]}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var text, objects bytes.Buffer
		people := &decoder{app: &app{out: &text}}
		programs := &decoder{app: &app{out: &objects, json: true}, all: []any{}}
		err, again := people.read(bytes.NewReader(in)), programs.read(bytes.NewReader(in))
		if fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("%v, with --json %v", err, again)
		}
		if err := programs.end(); err != nil || !json.Valid(objects.Bytes()) {
			t.Errorf("%v, not JSON: %s", err, objects.String())
		}
		if text.Len() > 0 && !strings.HasSuffix(text.String(), "\n") || (text.Len() > 0) != (len(programs.all) > 0) {
			t.Errorf("%d objects, and as text %q", len(programs.all), text.String())
		}
	})
}
