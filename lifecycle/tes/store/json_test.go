package store

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
)

// wild draws VMs with anything in their fields, nothing in many of them.
type wild struct{ *rapid.T }

func number[N uint8 | uint16 | uint32](w wild) N {
	return N(rapid.OneOf(rapid.Just[uint64](0), rapid.Uint64(), rapid.Just(^uint64(0))).Draw(w.T, "number"))
}

func (w wild) yes() bool { return rapid.Bool().Draw(w.T, "yes") }

func (w wild) name() string {
	return rapid.OneOf(rapid.StringMatching(`[a-z0-9-]{0,12}`), rapid.String(), rapid.SampledFrom([]string{"a<b>&c", "\x7f", "\"\\\u2028", "\xff\xfe", "\t\x00"})).Draw(w.T, "name")
}

func (w wild) mac() (m evpn.MAC) {
	copy(m[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(w.T, "MAC"))
	return m
}

func (w wild) ip() netip.Addr {
	text := rapid.SampledFrom([]string{"", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0", `fe80::1%"<`}).Draw(w.T, "IP")
	ip, _ := netip.ParseAddr(text)
	return ip
}

func (w wild) echo() *evpn.Echo {
	if w.yes() {
		return nil
	}
	return &evpn.Echo{Change: number[uint8](w), Failed: w.yes()}
}

func (w wild) binding() Binding {
	b := Binding{VN: w.name(), VNI: evpn.VNI(number[uint32](w)), MAC: w.mac(), IP: w.ip()}
	if w.yes() {
		b.Policy = &evpn.Policy{Type: number[uint32](w), Version: number[uint8](w), Format: number[uint8](w)}
	}
	if w.yes() {
		b.Credential = &evpn.Credential{KeyID: number[uint16](w)}
		copy(b.Credential.Tag[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(w.T, "tag"))
	}
	if w.yes() {
		n := number[uint32](w)
		b.Expiry = &n
	}
	return b
}

func some[E any](w wild, one func() E) (list []E) {
	for range rapid.IntRange(0, 3).Draw(w.T, "how many") {
		list = append(list, one())
	}
	return list
}

func (w wild) vm() VM {
	return VM{
		ID: vmid(number[uint8](w)), NVE: evpn.RouterID(number[uint32](w)),
		Wish: Wish{Op: evpn.Op(number[uint8](w)), Immigration: w.yes(), Bindings: some(w, w.binding), Phase: Phase(number[uint8](w)), Anew: w.yes()},
		Request: Request{
			Op: evpn.Op(number[uint8](w)), Base: evpn.State(number[uint8](w)), Flags: evpn.Flags(number[uint8](w)), Sequence: number[uint32](w), Purpose: Purpose(number[uint8](w)),
		},
		Standing: some(w, func() Route {
			return Route{
				Binding: w.binding(), Op: evpn.Op(number[uint8](w)), Base: evpn.State(number[uint8](w)), Flags: evpn.Flags(number[uint8](w)),
				Sequence: number[uint32](w), Index: number[uint8](w), Count: number[uint8](w), Echo: w.echo(),
			}
		}),
		Acked: Acked{State: evpn.State(number[uint8](w)), Op: evpn.Op(number[uint8](w)), Sequence: number[uint32](w), Bindings: some(w, w.binding)},
		Answer: Answer{
			Answered: w.yes(), Status: evpn.Status(number[uint8](w)), Reason: evpn.Reason(number[uint8](w)), State: evpn.State(number[uint8](w)),
			Lifetime: number[uint16](w), Told: evpn.Reason(number[uint8](w)),
		},
		Tags: some(w, func() Tag {
			return Tag{
				VN: w.name(), MAC: w.mac(), Applied: w.yes(), Echo: w.echo(),
				LocalTag: evpn.LocalTag{Type: number[uint8](w), PS: w.yes(), PCP: number[uint8](w), VID: number[uint16](w), Change: number[uint8](w)},
			}
		}),
	}
}

// A record is octet for octet what it was when encoding/json wrote it.
func TestRecordIsJSON(t *testing.T) {
	check := func(t rapid.TB, v VM) {
		r := toRecord(v)
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(v)[recordHeader:]; !bytes.Equal(got, want) {
			t.Fatalf("%+v\n got %s\nwant %s", v, got, want)
		}
	}
	check(t, VM{})
	check(t, full(1))
	rapid.Check(t, func(r *rapid.T) { check(r, wild{r}.vm()) })
}
