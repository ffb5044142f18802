package link

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var samples = []Message{
	{Kind: Up, Peer: netip.MustParseAddr("192.0.2.1"), AS: 4200000000, RouterID: 0xc0000201},
	{Kind: Up, Peer: netip.MustParseAddr("192.0.2.2"), AS: 65001, RouterID: 0xc0000202, Memberships: true},
	{Kind: Routes, Peer: netip.MustParseAddr("2001:db8::1"), At: time.Unix(1, 5), Update: bytes.Repeat([]byte{0xff}, 4096)},
	{Kind: Routes, Update: []byte{1, 2, 3}},
	{Kind: Whole},
	{Kind: Resend, Peer: netip.MustParseAddr("192.0.2.1")},
	{Kind: Alive},
	{Kind: Show},
	{Kind: Hide},
	{Kind: Down, Peer: netip.MustParseAddr("192.0.2.1"), Text: "hold timer expired"},
}

func TestMessagesComeAsTheyWere(t *testing.T) {
	var b []byte
	for _, m := range samples {
		b = m.Append(b)
	}
	for name, stream := range map[string]io.Reader{"at once": bytes.NewReader(b), "octet by octet": iotest.OneByteReader(bytes.NewReader(b))} {
		r := NewReader(stream)
		for i, want := range samples {
			got, err := r.Next()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, message %d: %+v, %v, want %+v", name, i, got, err, want)
			}
			if last := i == len(samples)-1; name == "at once" && r.Waiting() == last {
				t.Errorf("message %d: Waiting is %v", i, !last)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s, after the last: %v, want EOF", name, err)
		}
	}
}

func TestFramesThatAreNone(t *testing.T) {
	whole := samples[0].Append(nil)
	change := func(at int, v byte) []byte {
		b := bytes.Clone(whole)
		b[at] = v
		return b
	}
	for _, c := range []struct {
		name, want string
		octets     []byte
	}{
		{"cut off", "unexpected EOF", whole[:len(whole)-1]},
		{"cut off in its size", "unexpected EOF", whole[:2]},
		{"too short", "a frame of 3 octets", change(3, 3)},
		{"too long", "must be 30 to 8192", change(0, 1)},
		{"kind 0", "kind 0 is not known", change(4, 0)},
		{"kind 9", "kind 9 is not known", change(4, 9)},
		{"address", "an address of 5 octets", change(5, 5)},
		{"Up with more", "Up of 10 octets", append(change(3, byte(len(whole)+1)), 0)},
	} {
		if _, err := NewReader(bytes.NewReader(c.octets)).Next(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTextIsCutToAFrame(t *testing.T) {
	m := Message{Kind: Down, Text: strings.Repeat("x", 2*maxMessage)}
	if got, err := NewReader(bytes.NewReader(m.Append(nil))).Next(); err != nil || len(got.Text) != maxMessage-frameHeader {
		t.Errorf("%d octets, %v", len(got.Text), err)
	}
}

// FuzzReader: no octets harm, and what is read is written and read again as the same.
func FuzzReader(f *testing.F) {
	var all []byte
	for _, m := range samples {
		f.Add(m.Append(nil))
		all = m.Append(all)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, stream []byte) {
		for r := NewReader(bytes.NewReader(stream)); ; {
			m, err := r.Next()
			if err != nil {
				return
			}
			again, err := NewReader(bytes.NewReader(m.Append(nil))).Next()
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Fatalf("%+v is read as %+v, %v", m, again, err)
			}
		}
	})
}
