package mrt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// unhex is octets as hexadecimal digits with spaces.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// all reads to the end, which must come.
func all(t *testing.T, in io.Reader) (records []Record, bad []*RecordError) {
	t.Helper()
	for r := NewReader(in); ; {
		v, err := r.Next()
		var unread *RecordError
		switch {
		case errors.Is(err, io.EOF) && !errors.As(err, &unread):
			return records, bad
		case errors.As(err, &unread):
			bad = append(bad, unread)
		case err != nil:
			t.Fatal(err)
		default:
			records = append(records, v)
		}
	}
}

func TestReadWhatWasWritten(t *testing.T) {
	var b []byte
	for _, r := range records() {
		b = r.Append(b)
	}
	got, bad := all(t, iotest.OneByteReader(bytes.NewReader(b)))
	if !reflect.DeepEqual(got, records()) || bad != nil {
		t.Errorf("got %+v, %v", got, bad)
	}
}

// What others write, octet by octet.
func TestRead(t *testing.T) {
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	at := time.Unix(1700000000, 0)
	message := hex.EncodeToString(keepalive)
	for name, c := range map[string]struct {
		octets string
		want   Record
	}{
		"BGP4MP_MESSAGE": {
			"6553f100 0010 0001 00000023 fde9 fdea 0000 0001 c0000201 c0000202" + message,
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, Message: keepalive},
		},
		"BGP4MP_MESSAGE_AS4 with an interface": {
			"6553f100 0010 0004 00000027 fa56ea00 0000fdea 0007 0001 c0000201 c0000202" + message,
			Record{At: at, PeerAS: 4200000000, LocalAS: 65002, Peer: one, Local: two, Message: keepalive},
		},
		"BGP4MP_MESSAGE_LOCAL": {
			"6553f100 0010 0006 00000023 fde9 fdea 0000 0001 c0000201 c0000202" + message,
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, Sent: true, Message: keepalive},
		},
		"BGP4MP_ET, BGP4MP_MESSAGE_AS4_LOCAL over IPv6": {
			"6553f100 0011 0007 00000043 000f423f 0000fde9 0000fdea 0000 0002 20010db8000000000000000000000001 20010db8000000000000000000000002" + message,
			Record{
				At: at.Add(999999 * time.Microsecond), PeerAS: 65001, LocalAS: 65002, Peer: netip.MustParseAddr("2001:db8::1"),
				Local: netip.MustParseAddr("2001:db8::2"), Sent: true, Message: keepalive,
			},
		},
		"BGP4MP_STATE_CHANGE": {
			"6553f100 0010 0000 00000014 fde9 fdea 0000 0001 c0000201 c0000202 0005 0006",
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, From: 5, To: 6},
		},
		"BGP4MP_STATE_CHANGE_AS4": {
			"6553f100 0010 0005 00000018 0000fde9 0000fdea 0000 0001 c0000201 c0000202 0006 0001",
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, From: 6, To: 1},
		},
		"a message that is shorter than it says": {
			"6553f100 0010 0001 00000022 fde9 fdea 0000 0001 c0000201 c0000202" + message[:36],
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, Message: keepalive[:18], Truncated: true},
		},
		"no message at all": {
			"6553f100 0010 0001 00000010 fde9 fdea 0000 0001 c0000201 c0000202",
			Record{At: at, PeerAS: 65001, LocalAS: 65002, Peer: one, Local: two, Message: []byte{}, Truncated: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, bad := all(t, bytes.NewReader(unhex(c.octets)))
			if len(got) != 1 || !reflect.DeepEqual(got[0], c.want) || bad != nil {
				t.Errorf("got %+v, %v\nwant %+v", got, bad, c.want)
			}
		})
	}
}

// A record that cannot be read is told with its octets, and the one behind it is read.
func TestReadGoesOn(t *testing.T) {
	next := records()[0]
	for name, c := range map[string]struct {
		octets, kept, text string
		reason             error
	}{
		"a table dump":     {"6553f100 000d 0001 00000002 0909", "0909", "type 13, subtype 1: neither a BGP message", ErrOther},
		"path identifiers": {"6553f100 0010 0009 00000002 0909", "0909", "type 16, subtype 9: neither a BGP message", ErrOther},
		"a message's subtype of another type": {
			"6553f100 0030 0004 00000002 0909", "0909", "type 48, subtype 4: neither a BGP message", ErrOther,
		},
		"too short for addresses": {
			"6553f100 0010 0001 0000000c fde9 fdea 0000 0001 c0000201", "fde9fdea00000001c0000201", "12 octets are too few", io.ErrUnexpectedEOF,
		},
		"too short for microseconds": {"6553f100 0011 0001 00000002 0909", "0909", "2 octets are too few", io.ErrUnexpectedEOF},
		"too short for a state": {
			"6553f100 0010 0000 00000012 fde9 fdea 0000 0001 c0000201 c0000202 0005", "fde9fdea00000001c0000201c00002020005", "18 octets are too few", io.ErrUnexpectedEOF,
		},
		"no addresses": {"6553f100 0010 0000 00000008 0000 0000 0000 0008", "0000000000000008", "addresses of family 8", nil},
		"empty":        {"6553f100 0010 0001 00000000", "", "0 octets are too few", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, bad := all(t, bytes.NewReader(next.Append(unhex(c.octets))))
			if len(bad) != 1 || len(got) != 1 || !reflect.DeepEqual(got[0], next) {
				t.Fatalf("got %+v, %v", got, bad)
			}
			e := bad[0]
			if hex.EncodeToString(e.Octets) != c.kept || !strings.Contains(e.Error(), c.text) || e.At.Unix() != 1700000000 {
				t.Errorf("%v, at %v, octets %x", e, e.At, e.Octets)
			}
			if c.reason != nil && !errors.Is(e, c.reason) {
				t.Errorf("%v, want that it is %v", e, c.reason)
			}
		})
	}
}

// A file that ends inside a record, as one that is being written may, has all before it and tells the rest.
func TestReadCutOff(t *testing.T) {
	whole := records()[0].Append(nil)
	for n := 1; n < len(whole); n++ {
		got, bad := all(t, bytes.NewReader(append(bytes.Clone(whole), whole[:n]...)))
		if len(got) != 1 || len(bad) != 1 || !errors.Is(bad[0], io.ErrUnexpectedEOF) {
			t.Fatalf("after %d octets: %d records, %v", n, len(got), bad)
		}
		want := whole[:n]
		if n >= header {
			want = whole[header:n]
		}
		if !bytes.Equal(bad[0].Octets, want) {
			t.Errorf("after %d octets: kept %x, want %x", n, bad[0].Octets, want)
		}
	}
}

// A length that cannot be costs bounded memory; what is there behind so many octets is read.
func TestReadTooLong(t *testing.T) {
	long := append(unhex("6553f100 0010 0001 00020001"), make([]byte, maxRecord+1)...)
	next := records()[0]
	got, bad := all(t, bytes.NewReader(next.Append(long)))
	if len(got) != 1 || !reflect.DeepEqual(got[0], next) || len(bad) != 1 || len(bad[0].Octets) != maxRecord {
		t.Errorf("got %+v, %v", got, bad)
	}
	got, bad = all(t, bytes.NewReader(unhex("6553f100 0010 0001 ffffffff 0909")))
	if len(got) != 0 || len(bad) != 1 || !errors.Is(bad[0], io.ErrUnexpectedEOF) || len(bad[0].Octets) != 2 {
		t.Errorf("got %+v, %v", got, bad)
	}
	got, bad = all(t, bytes.NewReader(append(unhex("6553f100 0010 0001 ffffffff"), make([]byte, maxRecord+5)...)))
	if len(got) != 0 || len(bad) != 1 || !errors.Is(bad[0], io.ErrUnexpectedEOF) || !strings.Contains(bad[0].Error(), "after 131077 octets") {
		t.Errorf("got %+v, %v", got, bad)
	}
}

// What the source says is no record's fault, and reading ends with it.
func TestReadBrokenSource(t *testing.T) {
	broken := errors.New("broken")
	whole := records()[0].Append(nil)
	for n := range len(whole) {
		r := NewReader(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken)))
		for call := range 2 {
			if _, err := r.Next(); !errors.Is(err, broken) {
				t.Errorf("after %d octets, call %d: %v", n, call, err)
			}
		}
	}
}

func TestStateNames(t *testing.T) {
	for s, want := range map[State]string{0: "state 0", 1: "idle", 6: "established", 8: "deleted", 9: "state 9", 65535: "state 65535"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %q, want %q", uint16(s), got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, r := range records() {
		f.Add(r.Append(nil))
	}
	f.Add(unhex("6553f100 0010 0005 00000018 0000fde9 0000fdea 0000 0001 c0000201 c0000202 0006 0001"))
	f.Add(unhex("6553f100 0010 0006 00000010 fde9 fdea 0000 0001 c0000201 c0000202 6553f100 000d 0001 00000002 0909"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, bad := all(t, bytes.NewReader(b))
		if took := len(got) + len(bad); took > len(b)/header+1 {
			t.Errorf("%d records in %d octets", took, len(b))
		}
		for _, v := range got {
			if v.Message == nil {
				continue // only others write changes of state
			}
			again, _ := all(t, bytes.NewReader(v.Append(nil)))
			if len(again) != 1 || v.At.Year() < 2100 && v.At.Nanosecond()%1000 == 0 && !reflect.DeepEqual(again[0], v) {
				t.Errorf("read %+v, written and read again %+v", v, again)
			}
		}
	})
}
