package evpn_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// split cuts octets into communities; what is left over is dropped.
func split(b []byte) (cs []evpn.ExtendedCommunity) {
	for c := range slices.Chunk(b, 8) {
		if len(c) == 8 {
			cs = append(cs, evpn.ExtendedCommunity(c))
		}
	}
	return cs
}

func join(cs []evpn.ExtendedCommunity) (b []byte) {
	for _, c := range cs {
		b = append(b, c[:]...)
	}
	return b
}

// fuzzMessage holds any communities to: no order matters, and what is read without an error is written and read again as the same.
func fuzzMessage[T any](f *testing.F, decode func([]evpn.ExtendedCommunity) (T, error), encode func(*T) []evpn.ExtendedCommunity) {
	for _, test := range requests {
		f.Add(join(test.request.Communities()), uint64(1))
	}
	for _, test := range responses {
		f.Add(join(test.response.Communities()), uint64(2))
	}
	for _, test := range beacons {
		f.Add(join(append(test.beacon.Communities(), noise...)), uint64(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		cs := split(b)
		got, err := decode(cs)
		again, errAgain := decode(shuffled(cs, seed))
		if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(err, errAgain) {
			t.Fatalf("read %+v %v, in another order %+v %v", got, err, again, errAgain)
		}
		for _, c := range cs {
			if c.String() == "" {
				t.Errorf("no words for %x", c)
			}
		}
		if err != nil {
			return
		}
		if back, err := decode(encode(&got)); err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%+v read again as %+v, %v", got, back, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	fuzzMessage(f, evpn.DecodeRequest, (*evpn.Request).Communities)
}

func FuzzResponse(f *testing.F) {
	fuzzMessage(f, evpn.DecodeResponse, (*evpn.Response).Communities)
}

func FuzzReplyBeacon(f *testing.F) {
	fuzzMessage(f, evpn.DecodeReplyBeacon, (*evpn.Beacon).Communities)
}

func FuzzMirror(f *testing.F) {
	f.Add(uint32(65000), uint32(101021), uint32(7))
	f.Add(uint32(65000), uint32(203209), uint32(7))
	f.Fuzz(func(t *testing.T, global, data1, data2 uint32) {
		l := evpn.LargeCommunity{Global: global, Data1: data1, Data2: data2}
		m, ok := evpn.DecodeMirror(l)
		if !ok {
			return
		}
		request := evpn.Request{Op: m.Op, Base: m.State, Sequence: m.Sequence}
		if m.Immigration {
			request.Flags = evpn.FlagImmigration
		}
		response := evpn.Response{Status: m.Status, State: m.State, Reason: m.Reason, Sequence: m.Sequence}
		back := request.Mirror(m.AS)
		if m.Response {
			back = response.Mirror(m.AS)
		}
		if back != l {
			t.Errorf("%v read as %+v, written as %v", l, m, back)
		}
	})
}

func FuzzNLRI(f *testing.F) {
	for _, test := range nlris {
		f.Add(octets(f, test.octets))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, rest, err := evpn.DecodeNLRI(b)
		if err != nil {
			return
		}
		out, err := r.AppendNLRI(nil)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", r, err)
		}
		in := b[:len(b)-len(rest)]
		if r.Type == evpn.MACIPAdvertisement && len(in) == len(out)+3 { // label 2 is not kept
			in = slices.Clone(in[:len(out)])
			in[1] -= 3
		}
		if !bytes.Equal(in, out) {
			t.Errorf("%x read as %+v, written as %x", in, r, out)
		}
	})
}

func FuzzPMSITunnel(f *testing.F) {
	f.Add(octets(f, "00 06 002774 c0000201"))
	f.Add(octets(f, "00 00 000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := evpn.DecodePMSITunnel(b)
		if err != nil {
			return
		}
		if back, err := evpn.DecodePMSITunnel(p.Append(nil)); err != nil || back != p {
			t.Errorf("%x read as %+v, again %+v, %v", b, p, back, err)
		}
	})
}

// What is read from text is printed, read and printed as the same.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		"02:00:00:00:00:01", "10100", "192.0.2.1", "7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55", "192.0.2.1:1", "65000:1", "0.65000:1", "4200000000:1",
		"0x0001c00002010001", "00:01:02:03:04:05:06:07:08:09", "associate", "emigrating", "fail-kept", "quota",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for kind, parse := range parsers {
			text, err := parse(s)
			if err != nil {
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error of several lines: %q", kind, err)
				}
				continue
			}
			if again, err := parse(text); err != nil || again != text {
				t.Errorf("%s %q: printed %q, read again %q, %v", kind, s, text, again, err)
			}
		}
	})
}
