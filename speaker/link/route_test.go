package link

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

func addrs(a, b netip.Addr) bool { return a == b }

func macRoute(n byte) evpn.Route {
	return evpn.Route{
		RouteKey:    evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc6336401, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}},
		Label:       10100,
		NextHop:     netip.MustParseAddr("198.51.100.1"),
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(0xc0000201))},
	}
}

// full is a route with everything that one can have.
func full() evpn.Route {
	r := macRoute(9)
	r.ESI, r.IP, r.NextHop = evpn.ESI{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for n := range byte(31) { // more than 255 octets of them
		r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88, n, 1, 2, 3, 4, 5, 6})
	}
	for n := range uint32(22) {
		r.LargeCommunities = append(r.LargeCommunities, evpn.LargeCommunity{Global: 65000, Data1: 1 << 31, Data2: n})
	}
	r.PMSI = &evpn.PMSITunnel{Type: evpn.IngressReplication, Label: 7, ID: netip.MustParseAddr("192.0.2.1")}
	return r
}

func multicast() evpn.Route {
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(0xc6336401, 1), Tag: 5, IP: netip.MustParseAddr("192.0.2.1")},
		NextHop:  netip.MustParseAddr("192.0.2.1"), PMSI: &evpn.PMSITunnel{},
	}
}

func announcement(t testing.TB, r evpn.Route) []byte {
	t.Helper()
	b, err := AppendAnnouncement(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoutesComeAsTheyWere(t *testing.T) {
	var d Decoder
	for _, r := range []evpn.Route{macRoute(1), macRoute(1), full(), multicast(), macRoute(2)} {
		said, err := d.Update(announcement(t, r))
		if err != nil {
			t.Fatal(err)
		}
		want := &Said{Withdrawn: said.Withdrawn[:0], Announced: []evpn.Route{r}, Refused: said.Refused[:0]}
		if diff := cmp.Diff(want, said, cmp.Comparer(addrs)); diff != "" {
			t.Error(diff)
		}
		b, err := AppendWithdrawal([]byte{1}, r.RouteKey)
		if err != nil {
			t.Fatal(err)
		}
		if said, err = d.Update(b[1:]); err != nil || !slices.Equal(said.Withdrawn, []evpn.RouteKey{r.RouteKey}) || len(said.Announced) != 0 {
			t.Errorf("%v: %+v, %v", r.RouteKey, said, err)
		}
	}
}

// What a route has stays what it was when other routes have been read.
func TestRoutesOwnWhatTheyHave(t *testing.T) {
	var d Decoder
	first := macRoute(1)
	said, err := d.Update(announcement(t, first))
	if err != nil {
		t.Fatal(err)
	}
	kept := said.Announced[0]
	for n := range byte(5) {
		r := full()
		r.Communities[n][7]++
		if _, err := d.Update(announcement(t, r)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(first, kept, cmp.Comparer(addrs)); diff != "" {
		t.Error(diff)
	}
}

func TestEndOfRIBAndOtherTypes(t *testing.T) {
	var d Decoder
	if said, err := d.Update(wire.AppendEndOfRIB(nil, wire.EVPN)); err != nil || !said.EndOfRIB {
		t.Errorf("%+v, %v: want End-of-RIB", said, err)
	}
	msg := announcement(t, macRoute(1))
	at := bytes.Index(msg, []byte{2, 33})
	body := make([]byte, 25) // Ethernet A-D
	msg = slices.Concat(msg[:at], []byte{1, 25}, body, msg[at+2+33:])
	for _, i := range []int{17, 22, 25} { // lengths of the message, the attributes, and MP_REACH_NLRI
		msg[i] -= 8
	}
	said, err := d.Update(msg)
	if err != nil || said.Skipped != 1 || len(said.Announced)+len(said.Refused) != 0 || said.EndOfRIB {
		t.Errorf("%+v, %v: want one skipped", said, err)
	}
}

// A route with an attribute that cannot be read is refused by its key, and the next one is read.
func TestAttributesThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		name, want string
		attribute  []byte
	}{
		{"extended communities", "extended communities of 7 octets", append([]byte{0xc0, 16, 7}, make([]byte, 7)...)},
		{"hidden ones", "restore extended communities: 9 octets", append([]byte{0x80, wire.AttributeHidden, 9}, make([]byte, 9)...)},
		{"large communities", "large communities of 13 octets", append([]byte{0xc0, 32, 13}, make([]byte, 13)...)},
		{"PMSI tunnel", "PMSI tunnel: 4 octets", []byte{0xc0, 22, 4, 0, 0, 0, 0}},
		{"ORIGINATOR_ID", "ORIGINATOR_ID of 3 octets", []byte{0x80, 9, 3, 0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := macRoute(1)
			r.Communities = nil
			msg := announcement(t, r)
			msg = append(msg, test.attribute...)
			msg[17] += byte(len(test.attribute))
			msg[22] += byte(len(test.attribute))
			var d Decoder
			for range 2 {
				said, err := d.Update(msg)
				if err != nil || len(said.Announced) != 0 || len(said.Refused) != 1 {
					t.Fatalf("%+v, %v", said, err)
				}
				if got := said.Refused[0]; got.Key != r.RouteKey || !strings.Contains(got.Err.Error(), test.want) {
					t.Errorf("refused %v: %v, want %q", got.Key, got.Err, test.want)
				}
			}
			if said, err := d.Update(announcement(t, macRoute(2))); err != nil || len(said.Announced) != 1 {
				t.Errorf("%+v, %v: the next one is whole", said, err)
			}
		})
	}
}

func TestAnnouncementThatIsRefusedLeavesTheBuffer(t *testing.T) {
	b := []byte("before")
	for _, change := range []func(*evpn.Route){
		func(r *evpn.Route) { r.NextHop = netip.Addr{} },
		func(r *evpn.Route) { r.Type = 5 },
		func(r *evpn.Route) { r.LargeCommunities = make([]evpn.LargeCommunity, 320) },
	} {
		r := macRoute(1)
		change(&r)
		if got, err := AppendAnnouncement(b, &r); err == nil || string(got) != "before" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// FuzzDecoder: no octets harm, and what is read is written and read again as the same.
func FuzzDecoder(f *testing.F) {
	for _, r := range []evpn.Route{macRoute(1), full(), multicast()} {
		b := announcement(f, r)
		f.Add(b)
		w, err := AppendWithdrawal(nil, r.RouteKey)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(w)
	}
	f.Add(wire.AppendEndOfRIB(nil, wire.EVPN))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var d, again Decoder
		said, err := d.Update(msg)
		if err != nil {
			return
		}
		for _, r := range said.Announced {
			b, err := AppendAnnouncement(nil, &r)
			if err != nil {
				continue // more than we send
			}
			got, err := again.Update(b)
			if err != nil || len(got.Announced) != 1 {
				t.Fatalf("%+v, written as %x: %+v, %v", r, b, got, err)
			}
			r.OriginatorID = 0
			if r.PMSI != nil && r.PMSI.Type != evpn.IngressReplication {
				r.PMSI.ID = netip.Addr{}
			}
			if diff := cmp.Diff(r, got.Announced[0], cmp.Comparer(addrs)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// BenchmarkDecode is an UPDATE with one request, as a TES sends it, each with attributes of its own.
func BenchmarkDecode(b *testing.B) {
	var messages [][]byte
	for n := range byte(100) {
		messages = append(messages, announcement(b, request(n)))
	}
	var d Decoder
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Update(messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	r := request(1)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buffer, err = AppendAnnouncement(buffer[:0], &r); err != nil {
			b.Fatal(err)
		}
	}
}

// request is a route as a TES announces it: a route target, seven communities of ours and the mirror.
func request(n byte) evpn.Route {
	r := macRoute(n)
	r.IP = netip.AddrFrom4([4]byte{10, 0, 0, n})
	for sub := range byte(7) {
		r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88, sub + 1, 0, 0, 0, n, sub, 1})
	}
	r.LargeCommunities = []evpn.LargeCommunity{{Global: 65000, Data1: 102000, Data2: uint32(n)}}
	return r
}
