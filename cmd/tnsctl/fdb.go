package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// entryView is one entry of the forwarding table.
type entryView struct {
	VN    string `json:"vn"`
	VNI   uint32 `json:"vni"`
	Kind  string `json:"kind"`
	MAC   string `json:"mac"`
	IP    string `json:"ip"`
	Port  string `json:"port"`
	VTEP  string `json:"vtep"`
	State string `json:"state"`
	Error string `json:"error"`
	Open  bool   `json:"open"`
	Drops uint64 `json:"drops"`
}

func (a *app) fdb() *cobra.Command {
	var vn, duplicate string
	var q tnsv1.ListFDBRequest
	var frozen *tnsv1.NIC
	c := &cobra.Command{
		Use:   "fdb",
		Short: "List an edge's forwarding table, or free a duplicate MAC",
		Long: `List what an edge's forwarding table should hold, and whether the kernel has it.

With --clear-duplicate, a MAC that moved too often and was frozen (RFC 7432 §15.1) is freed instead.`,
		Example: "  tnsctl fdb --vn blue\n  tnsctl fdb --clear-duplicate vn=blue,mac=02:00:00:00:00:01",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil {
				return err
			}
			var err error
			if vn != "" {
				if q.Vn, err = parseVN(vn); err != nil {
					return err
				}
			}
			if duplicate != "" {
				frozen, err = parseNIC(duplicate)
				if err == nil && (len(frozen.Ips) > 0 || frozen.Policy != nil) {
					err = fmt.Errorf("--clear-duplicate %s: want vn=NAME|VNI,mac=MAC", duplicate)
				}
			}
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				if frozen != nil {
					return a.clearDuplicate(ctx, d, frozen)
				}
				return a.listFDB(ctx, d, &q)
			})
		},
	}
	c.Flags().StringVar(&vn, "vn", "", "only this VN, by name or VNI")
	c.Flags().StringVar(&duplicate, "clear-duplicate", "", "free a frozen MAC: vn=NAME|VNI,mac=MAC")
	return c
}

func (a *app) listFDB(ctx context.Context, d *control.Client, q *tnsv1.ListFDBRequest) error {
	r, err := d.ListFDB(ctx, q)
	if err != nil {
		return err
	}
	entries := []entryView{}
	t := newTable("VN", "VNI", "KIND", "MAC", "IP", "PORT", "VTEP", "STATE", "OPEN", "DROPS", "ERROR")
	for _, e := range r.Entries {
		v := entryView{
			VN: e.Vn, VNI: e.Vni, Kind: word(entryKindWords, e.Kind), MAC: e.Mac, IP: e.Ip, Port: e.Port, VTEP: e.Vtep,
			State: word(entryStateWords, e.State), Error: e.Error, Open: e.Open, Drops: e.Drops,
		}
		entries = append(entries, v)
		open, drops := "", ""
		if e.Kind == tnsv1.FDBEntry_KIND_PORT {
			open, drops = yes(v.Open), strconv.FormatUint(v.Drops, 10)
		}
		t.row(v.VN, v.VNI, v.Kind, v.MAC, v.IP, v.Port, v.VTEP, v.State, open, drops, v.Error)
	}
	return a.show(entries, t)
}

// clearedView is what became of --clear-duplicate.
type clearedView struct {
	VN      string `json:"vn"`
	MAC     string `json:"mac"`
	Cleared bool   `json:"cleared"`
}

func (a *app) clearDuplicate(ctx context.Context, d *control.Client, nic *tnsv1.NIC) error {
	r, err := d.ClearDuplicate(ctx, &tnsv1.ClearDuplicateRequest{Vn: nic.Vn, Mac: nic.Mac})
	if err != nil {
		return err
	}
	v := clearedView{VN: vnWords(nic.Vn.GetName(), nic.Vn.GetVni()), MAC: nic.Mac, Cleared: r.Cleared}
	t := newTable("VN", "MAC", "CLEARED")
	t.row(v.VN, v.MAC, yes(v.Cleared))
	if err := a.show(v, t); err != nil {
		return err
	}
	if !r.Cleared {
		return outcome{fmt.Sprintf("%s in VN %s is not frozen as a duplicate", v.MAC, v.VN), exitRefused}
	}
	return nil
}
