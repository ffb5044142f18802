package wire

import (
	"bytes"
	"testing"
)

func FuzzFilter(f *testing.F) {
	for _, msg := range corpus() {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, s := range sessions {
			if err := property(NewFilter(s), msg); err != nil {
				t.Fatalf("over %+v: %v", s, err)
			}
		}
	})
}

func FuzzParseUpdate(f *testing.F) {
	for _, msg := range corpus() {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if err := fromEngine(msg); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add((&Open{AS: 65000, HoldTime: 90, RouterID: 1}).Append(nil))
	f.Add((&Open{
		AS: 1 << 20, HoldTime: 9, RouterID: 1, FourOctetAS: true, Families: []Family{EVPN, RouteTargets}, RouteRefresh: true, EnhancedRefresh: true,
		ExtendedMessage: true, GracefulRestart: &GracefulRestart{Time: 120, Families: []RestartFamily{{EVPN, true}}}, AddPath: []AddPath{{EVPN, 1}},
		Unknown: []Capability{{73, []byte("name")}},
	}).Append(nil))
	f.Fuzz(func(t *testing.T, msg []byte) {
		o, err := ParseOpen(msg)
		if err != nil {
			return
		}
		b := o.Append(nil)
		again, err := ParseOpen(b)
		if err != nil {
			t.Fatalf("%x, written as %x: %v", msg, b, err)
		}
		if !bytes.Equal(again.Append(nil), b) {
			t.Fatalf("%x, written as %x, read as %+v", msg, b, again)
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add(ShutdownNotification(CeaseAdminShutdown, "maintenance").Append(nil))
	f.Add(RouteRefresh{EVPN, RefreshBegin}.Append(nil))
	f.Add(AppendKeepalive(nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		msg, err := ReadMessage(bytes.NewReader(stream), make([]byte, MaxLength))
		if err != nil {
			return
		}
		if n, err := ParseNotification(msg); err == nil && !bytes.Equal(n.Append(nil), msg) {
			t.Fatalf("%x is written as %x", msg, n.Append(nil))
		}
		if r, err := ParseRouteRefresh(msg); err == nil && r.Family != 0 && !bytes.Equal(r.Append(nil), msg) {
			t.Fatalf("%x is written as %x", msg, r.Append(nil))
		}
	})
}
