package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// vmView is one association of a VM with an edge.
type vmView struct {
	VMID      string      `json:"vmid"`
	TES       string      `json:"tes"`
	Server    string      `json:"server,omitempty"` // the name of one that is not virtualised
	NVE       string      `json:"nve"`
	State     string      `json:"state"`
	Mark      string      `json:"mark"`
	Sequence  uint32      `json:"sequence"`
	LifetimeS *int64      `json:"lifetime_s"` // null when none runs
	Routes    []routeView `json:"routes"`
	Tag       *tagView    `json:"tag"` // null before Pre-associated
}

// routeView is one binding.
type routeView struct {
	VN     string   `json:"vn"`
	VNI    uint32   `json:"vni"`
	MAC    string   `json:"mac"`
	IP     string   `json:"ip"`
	Policy string   `json:"policy"`
	Active bool     `json:"active"`
	Reason string   `json:"reason"`
	Tag    *tagView `json:"tag"` // null before Pre-associated

	Enforced string `json:"enforced"` // what the edge has in its kernel, and whether frames meet it; "": nothing
}

// tagView is how frames are told apart on the link.
type tagView struct {
	Type   string `json:"type"`
	VID    uint32 `json:"vid"`
	PCP    uint32 `json:"pcp"`
	Change uint32 `json:"change"`
	Answer string `json:"answer"` // to the last change: waiting, applied, failed
}

func viewVM(m *tnsv1.VM) vmView {
	v := vmView{
		VMID: m.Vmid, TES: m.Tes, Server: m.Server, NVE: m.Nve, State: word(stateWords, m.State), Mark: word(markWords, m.Mark), Sequence: m.Sequence,
		Routes: []routeView{},
	}
	if m.Lifetime != nil {
		s := int64(m.Lifetime.AsDuration().Seconds())
		v.LifetimeS = &s
	}
	for _, r := range m.Routes {
		v.Routes = append(v.Routes, routeView{
			VN: r.Vn, VNI: r.Vni, MAC: r.Mac, IP: r.Ip, Policy: policyWords(r.Policy), Active: r.Active, Reason: r.Reason, Tag: viewTag(r.Tag), Enforced: r.Enforced,
		})
	}
	v.Tag = viewTag(m.Tag)
	return v
}

func viewTag(t *tnsv1.Tag) *tagView {
	if t == nil {
		return nil
	}
	return &tagView{Type: word(tagWords, t.Type), VID: t.Vid, PCP: t.Pcp, Change: t.Change, Answer: t.Answer}
}

func viewVMs(ms []*tnsv1.VM) []vmView {
	vs := []vmView{}
	for _, m := range ms {
		vs = append(vs, viewVM(m))
	}
	return vs
}

func (t tagView) String() string {
	s := t.Type
	if t.Type != tagWords[0] {
		s = fmt.Sprintf("%s vid %d pcp %d", t.Type, t.VID, t.PCP)
	}
	if t.Answer != "" {
		s += ", " + t.Answer
	}
	return s
}

// at is who speaks for the VM: its TES, or for a server that is not virtualised nobody but its name.
func (v vmView) at() string {
	if v.Server != "" {
		return "server " + v.Server
	}
	return v.TES
}

func (a *app) vmList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the VMs",
		Long:  "List the VMs: tesd its own, nved one line for each VM and TES, and for each server of its configuration.",
		Example: "  tnsctl vm list\n" +
			"  tnsctl --api unix:///run/tns/nved.sock vm list --json | jq -r '.[] | select(.mark == \"orphaned\") | .vmid'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListVMs(ctx, &tnsv1.ListVMsRequest{})
				if err != nil {
					return err
				}
				vms := viewVMs(r.Vms)
				t := newTable("VM", "TES", "NVE", "STATE", "MARK", "SEQUENCE", "LIFETIME", "ROUTES", "ACTIVE")
				for _, v := range vms {
					active := 0
					for _, r := range v.Routes {
						if r.Active {
							active++
						}
					}
					t.row(v.VMID, v.at(), v.NVE, v.State, v.Mark, v.Sequence, seconds(v.LifetimeS), len(v.Routes), active)
				}
				return a.show(vms, t)
			})
		},
	}
}
