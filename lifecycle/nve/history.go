package nve

import (
	"net/netip"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// note writes history; an alarm is logged too.
func (e *Edge) note(ev history.Event) {
	ev.At = e.now
	if ev.VN == "" && ev.VNI != 0 {
		if v := e.vns[evpn.VNI(ev.VNI)]; v != nil {
			ev.VN = v.Name
		}
	}
	e.History.Append(ev)
	if ev.Kind == history.KindAlarm {
		e.stats.alarms++
		e.Log.WithFields(logFields(ev)).Warn(ev.Detail)
	}
}

// whom is whom and what an event is about; what does not apply is zero.
type whom struct {
	vm   evpn.VMID
	tes  evpn.RouterID
	peer netip.Addr
	mac  evpn.MAC
	ip   netip.Addr
}

// noteOf writes history of somebody. What there is most of comes this way: all names of an event are made at once.
func (e *Edge) noteOf(w whom, ev history.Event) {
	b := e.names[:0]
	var ends [5]int
	if !w.vm.IsZero() {
		b, _ = w.vm.AppendText(b)
	}
	ends[0] = len(b)
	if w.tes != 0 {
		b = w.tes.Addr().AppendTo(b)
	}
	ends[1] = len(b)
	if w.peer.IsValid() {
		b = w.peer.AppendTo(b)
	}
	ends[2] = len(b)
	if !w.mac.IsZero() {
		b, _ = w.mac.AppendText(b)
	}
	ends[3] = len(b)
	if w.ip.IsValid() {
		b = w.ip.AppendTo(b)
	}
	ends[4] = len(b)
	e.names = b
	names := string(b)
	ev.VM, ev.TES, ev.Peer = names[:ends[0]], names[ends[0]:ends[1]], names[ends[1]:ends[2]]
	ev.MAC, ev.IP = names[ends[2]:ends[3]], names[ends[3]:ends[4]]
	e.note(ev)
}

// logFields is an event's fields that say something.
func logFields(ev history.Event) logrus.Fields {
	f := logrus.Fields{}
	for k, v := range map[string]string{"vm": ev.VM, "tes": ev.TES, "peer": ev.Peer, "vn": ev.VN, "mac": ev.MAC, "ip": ev.IP} {
		if v != "" {
			f[k] = v
		}
	}
	if ev.VNI != 0 {
		f["vni"] = ev.VNI
	}
	return f
}
