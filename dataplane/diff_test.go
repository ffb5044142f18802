package dataplane_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

func TestDiff(t *testing.T) {
	closed := open
	closed.Open = false
	half := dataplane.Entry{Key: local.Key}
	for _, c := range []struct {
		name       string
		want, have []dataplane.Entry
		set        []dataplane.Entry
		del        []dataplane.Key
	}{
		{"both empty", nil, nil, nil, nil},
		{"all is new", []dataplane.Entry{other, local}, nil, []dataplane.Entry{local, other}, nil},
		{"all is there", []dataplane.Entry{local, flood, open}, []dataplane.Entry{open, flood, local}, nil, nil},
		{"all is too much", nil, []dataplane.Entry{other, flood, local}, nil, []dataplane.Key{local.Key, other.Key, flood.Key}},
		{"listed twice", nil, []dataplane.Entry{local, local}, nil, []dataplane.Key{local.Key}},
		{"another place", []dataplane.Entry{local}, []dataplane.Entry{remote}, []dataplane.Entry{local}, nil},
		{"only half there", []dataplane.Entry{local}, []dataplane.Entry{half}, []dataplane.Entry{local}, nil},
		{"half there and not wanted", nil, []dataplane.Entry{half}, nil, []dataplane.Key{local.Key}},
		{"a closed port and nothing", []dataplane.Entry{closed}, nil, nil, nil},
		{"a closed port that is open", []dataplane.Entry{closed}, []dataplane.Entry{open}, []dataplane.Entry{closed}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := make(map[dataplane.Key]dataplane.Entry)
			for _, e := range c.want {
				want[e.Key] = e
			}
			set, del := dataplane.Diff(want, c.have)
			if !slices.Equal(set, c.set) || !slices.Equal(del, c.del) {
				t.Errorf("set %v, delete %v; want %v, %v", set, del, c.set, c.del)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for _, e := range []dataplane.Entry{local, remote, flood, known, open} {
		if err := e.Validate(); err != nil {
			t.Errorf("%v: %v", e, err)
		}
	}
	for _, c := range []struct {
		entry dataplane.Entry
		why   string
	}{
		{dataplanetest.Local(0, mac1, "p"), "VNI"},
		{dataplanetest.Local(1<<24, mac1, "p"), "VNI"},
		{dataplanetest.Local(1, dataplane.MAC{1, 0, 0x5e}, "p"), "MAC"},
		{dataplanetest.Local(1, dataplane.MAC{}, "p"), "MAC"},
		{dataplanetest.Local(1, mac1, ""), "port or a VTEP"},
		{dataplane.Entry{Key: local.Key, LocalPort: "p", VTEP: vtep2}, "port or a VTEP"},
		{dataplanetest.Remote(1, mac1, netip.MustParseAddr("224.0.0.1")), "VTEP"},
		{dataplanetest.Flooded(1, netip.Addr{}), "VTEP"},
		{dataplanetest.Flooded(1, netip.IPv4Unspecified()), "VTEP"},
		{dataplanetest.At(1, netip.Addr{}, mac1), "IP"},
		{dataplanetest.At(1, ip1, dataplane.MAC{}), "link address"},
		{dataplanetest.Opened(1, ""), "name"},
		{dataplanetest.Tagged(1, "", 100, 0), "name"},
		{dataplanetest.Tagged(1, "p", 0, 0), "VID 0 is outside 1 to 4094"},
		{dataplanetest.Tagged(1, "p", 4095, 0), "VID 4095 is outside 1 to 4094"},
		{dataplanetest.Tagged(1, "p", 100, 4095), "VID 4095 is outside 1 to 4094"},
		{dataplanetest.Tagged(1, "p", 100, 100), "VID 100 is named twice"},
		{dataplane.Entry{Key: dataplane.Key{Kind: 9, VNI: 1}}, "kind"},
	} {
		if err := c.entry.Validate(); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%+v: %v, want an error about the %s", c.entry, err, c.why)
		}
	}
}

func TestValidateNetworks(t *testing.T) {
	if err := dataplane.ValidateNetworks(dataplanetest.Networks()); err != nil {
		t.Errorf("the contract's networks: %v", err)
	}
	bad := dataplanetest.Networks()
	bad[0].VNI = 1 << 24
	bad[0].VTEP = netip.Addr{}
	bad[1].Bridge = "a-name-that-is-too-long"
	bad[1].Ports = dataplane.AccessPorts("blue1")
	err := dataplane.ValidateNetworks(append(bad, bad[1]))
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		"VN blue: VNI 16777216 is outside 1 to 16777215",
		"VN blue: VTEP invalid IP is not a unicast address",
		`VN red: "a-name-that-is-too-long" is not a device name of 1 to 15 octets`,
		"VN red: device blue1 is used by VN blue",
		"VN red: VNI 10200 is that of VN red",
		`VN red: "a-name-that-is-too-long" is not a device name of 1 to 15 octets`,
		"VN red: device vx10200 is used by VN red",
		"VN red: device blue1 is used by VN red",
	}
	if d := cmp.Diff(want, strings.Split(err.Error(), "\n")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTaggedPortsAreShared(t *testing.T) {
	trunk := func(name string, m dataplane.Mode) dataplane.MemberPort {
		return dataplane.MemberPort{Name: name, Mode: m}
	}
	good := dataplanetest.Networks()
	for i := range good {
		good[i].Bridge, good[i].VXLAN = "br", "vx" // which VNs of VLAN-aware ports share
		good[i].Ports = append(good[i].Ports, trunk("trunk1", dataplane.EBPF), trunk("trunk2", dataplane.Dot1Q), trunk("trunk3", dataplane.VLANAware))
	}
	if err := dataplane.ValidateNetworks(good); err != nil {
		t.Errorf("three trunks in two VNs: %v", err)
	}
	apart := append(dataplanetest.Networks()[:0:0], good...)
	apart[1].Bridge = "br2"
	if err := dataplane.ValidateNetworks(apart); err == nil || !strings.Contains(err.Error(), "VN red: bridge br2, ") {
		t.Errorf("VLAN-aware ports in two bridges: %v", err)
	}
	bad := dataplanetest.Networks()
	bad[0].Ports = []dataplane.MemberPort{trunk("one", dataplane.EBPF), trunk("two", dataplane.EBPF), trunk("three", dataplane.EBPF), trunk("four", 9), trunk("one", dataplane.EBPF)}
	bad[1].Ports = []dataplane.MemberPort{trunk("one", dataplane.Dot1Q), trunk("two", dataplane.Access), trunk("br10100", dataplane.EBPF)}
	want := []string{
		"VN blue: port four has no mode that there is: mode 9",
		"VN blue: device one is used by VN blue",
		"VN red: the mode of port one is dot1q, in VN blue it is ebpf",
		"VN red: device two is used by VN blue",
		"VN red: device br10100 is used by VN blue",
	}
	err := dataplane.ValidateNetworks(bad)
	if err == nil {
		t.Fatal("accepted")
	}
	if d := cmp.Diff(want, strings.Split(err.Error(), "\n")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
