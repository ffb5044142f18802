package main

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// openView is what of an OPEN matters.
type openView struct {
	AS           uint32   `json:"as"`
	RouterID     string   `json:"router_id"`
	HoldTimeS    uint16   `json:"hold_time_s"`
	Families     []string `json:"families"`
	Capabilities []string `json:"capabilities"` // beside the families
}

func (v *messageView) open(msg []byte) error {
	o, err := wire.ParseOpen(msg)
	if err != nil {
		return err
	}
	v.Open = &openView{AS: o.AS, RouterID: o.RouterID.String(), HoldTimeS: o.HoldTime, Families: []string{}, Capabilities: capabilityWords(o)}
	for _, f := range o.Families {
		v.Open.Families = append(v.Open.Families, f.String())
	}
	return nil
}

// capabilityWords is what an OPEN offers beside families.
func capabilityWords(o *wire.Open) []string {
	list := []string{}
	for _, c := range []struct {
		has  bool
		name string
	}{
		{o.FourOctetAS, "four-octet-as"}, {o.RouteRefresh, "route-refresh"}, {o.EnhancedRefresh, "enhanced-refresh"}, {o.ExtendedMessage, "extended-message"},
	} {
		if c.has {
			list = append(list, c.name)
		}
	}
	if g := o.GracefulRestart; g != nil {
		list = append(list, restartWords(g))
	}
	for _, a := range o.AddPath {
		list = append(list, fmt.Sprintf("add-path %v mode %d", a.Family, a.Mode))
	}
	for _, c := range o.Unknown {
		list = append(list, words("capability", fmt.Sprint(c.Code), hex.EncodeToString(c.Value)))
	}
	return list
}

func restartWords(g *wire.GracefulRestart) string {
	s := fmt.Sprintf("graceful-restart %d s", g.Time)
	if g.Restarted {
		s += " restarted"
	}
	if g.Notification {
		s += " notification"
	}
	for _, f := range g.Families {
		s += " " + f.Family.String()
		if f.Preserved {
			s += " preserved"
		}
	}
	return s
}

func (o *openView) String() string {
	s := fmt.Sprintf("AS %d router-id %s hold time %d s", o.AS, o.RouterID, o.HoldTimeS)
	return strings.Join(append(append([]string{s}, o.Families...), o.Capabilities...), ", ")
}
