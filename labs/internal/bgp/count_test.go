package bgp

import (
	"net"
	"net/netip"
	"testing"
)

func TestCount(t *testing.T) {
	s := &Session{address: netip.MustParseAddr("192.0.2.1")}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	one, other := s.MACIP(7, mac, netip.Addr{}), s.MACIP(7, mac, netip.MustParseAddr("10.0.0.1"))
	both := Route{nlri: append(append([]byte{}, one.nlri...), other.nlri...)}
	for _, c := range []struct {
		name                 string
		update               []byte
		announced, withdrawn int
	}{
		{"one announced", one.announcement(s.address, []Community{VXLAN}), 1, 0},
		{"two announced at once", both.announcement(s.address, nil), 2, 0},
		{"two withdrawn at once", both.withdrawal(), 0, 2},
		{"End-of-RIB", update([]byte{0x80, 15, 3, 0, afi, safi}), 0, 0},
		{"nothing", nil, 0, 0},
	} {
		if announced, withdrawn := Count(c.update); announced != c.announced || withdrawn != c.withdrawn {
			t.Errorf("%s: %d announced, %d withdrawn", c.name, announced, withdrawn)
		}
	}
}

// Messages that were made before go out whole, whatever their number.
func TestSend(t *testing.T) {
	ours, theirs := net.Pipe()
	s := &Session{connection: ours}
	request := Ask{TES: netip.MustParseAddr("192.0.2.1"), NVE: netip.MustParseAddr("192.0.2.2"), MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}.Request()
	const count = 1000
	var messages []byte
	for range count {
		messages = request.AppendTo(messages)
	}
	sent := make(chan error, 1)
	go func() { sent <- s.Send(messages) }()
	hearer := &Session{connection: theirs}
	for i := range count {
		typ, body, err := hearer.hear()
		if announced, _ := Count(body); err != nil || typ != typeUpdate || announced != 1 {
			t.Fatalf("message %d is of type %d, announces %d: %v", i, typ, announced, err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
