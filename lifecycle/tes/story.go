package tes

import (
	"fmt"
	"strings"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// tell writes an event into the VM's story.
func (c *core) tell(v *vm, e history.Event) {
	e.VM, e.TES, e.Peer = v.ID.String(), c.cfg.ID.String(), v.NVE.String()
	c.log.Append(e)
}

// describe says what a request is, beside its OP.
func describe(v store.VM, again bool) string {
	parts := []string{"1 route"}
	if n := len(v.Current()); n != 1 {
		parts[0] = fmt.Sprintf("%d routes", n)
	}
	if n := len(v.LeftOver()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d left over from the set before", n))
	}
	if v.Request.Flags&evpn.FlagImmigration != 0 {
		parts = append(parts, "immigration")
	}
	switch v.Request.Purpose {
	case store.ForTruth:
		parts = append(parts, "states what is acknowledged")
	case store.ForStep:
		parts = append(parts, "associates anew")
	case store.ForKeepAlive:
		parts = append(parts, "keep-alive")
	}
	if again {
		parts = append(parts, "asked again")
	}
	return strings.Join(parts, ", ")
}

func (c *core) tellRestored(now time.Time, v *vm, r store.Route) {
	e := history.Event{
		At: now, Kind: history.KindRequest, VN: r.VN, VNI: uint32(r.VNI), MAC: r.MAC.String(), Op: fmt.Sprint(r.Op), Sequence: r.Sequence,
		Detail: "was removed from the speaker's table by someone else, restored",
	}
	if r.IP.IsValid() {
		e.IP = r.IP.String()
	}
	c.tell(v, e)
	c.logger.WithField("vmid", v.ID).WithField("route", c.key(r)).Warn("request restored")
}
