package mrt

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keepalive is a whole message.
var keepalive = append(bytes.Repeat([]byte{0xff}, 16), 0, 19, 4)

func records() []Record {
	at := time.Unix(1700000000, 123456000)
	return []Record{
		{At: at, PeerAS: 65001, LocalAS: 4200000000, Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.2"), Message: keepalive},
		{At: at.Add(time.Second), Peer: netip.MustParseAddr("2001:db8::1"), Local: netip.MustParseAddr("2001:db8::2"), Sent: true, Message: keepalive},
		{At: at, Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.2"), Message: keepalive[:18], Truncated: true},
	}
}

func TestOctets(t *testing.T) {
	want := "6553f100 0011 0004 0000002b 0001e240 0000fde9 fa56ea00 0000 0001 c0000201 c0000202 " + hex.EncodeToString(keepalive)
	if got := hex.EncodeToString(records()[0].Append(nil)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFileKeepsItsBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "peer.mrt")
	f, err := Open(path, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := f.Write(records()[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("stat", "-c", "%s", path, Older(path)).Output()
	if err != nil {
		t.Fatal(err)
	}
	// 55 octets a record, nine in a half; 100 = 11 * 9 + 1
	if got := strings.Fields(string(out)); len(got) != 2 || got[0] != "55" || got[1] != "495" {
		t.Errorf("sizes %v", got)
	}
	if f, err = Open(path, 1000); err != nil {
		t.Fatal(err)
	}
	if f.size != 55 {
		t.Errorf("opened again: %d octets", f.size)
	}
	f.Close()
}
