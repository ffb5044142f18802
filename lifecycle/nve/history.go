package nve

import (
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
