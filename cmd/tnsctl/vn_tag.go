package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// networkTagView is the VID of a VN on a segment.
type networkTagView struct {
	Segment  string   `json:"segment"`
	Ports    []string `json:"ports"`
	VID      uint32   `json:"vid"`
	Sent     uint32   `json:"sent"`
	Also     uint32   `json:"also"` // 0: nothing else is taken
	Next     uint32   `json:"next"`
	Changing bool     `json:"changing"`
	Applied  uint32   `json:"applied"`
	Waiting  uint32   `json:"waiting"`
	Failed   uint32   `json:"failed"`
}

func viewNetworkTag(t *tnsv1.NetworkTag) networkTagView {
	return networkTagView{
		Segment: t.Segment, Ports: list(t.Ports), VID: t.Vid, Sent: t.Sent, Also: t.Also, Next: t.Next, Changing: t.Changing,
		Applied: t.Applied, Waiting: t.Waiting, Failed: t.Failed,
	}
}

func viewTags(ts []*tnsv1.NetworkTag) []networkTagView {
	views := []networkTagView{}
	for _, t := range ts {
		views = append(views, viewNetworkTag(t))
	}
	return views
}

// tagsText is a VN's VIDs in a table: "eth1 100", "eth1 100 to 200 (2 waiting)", "eth1 200, 100 kept (1 failed)".
func tagsText(ts []*tnsv1.NetworkTag) string {
	var words []string
	for _, t := range ts {
		words = append(words, tagText(t))
	}
	return strings.Join(words, ", ")
}

func tagText(t *tnsv1.NetworkTag) string {
	s := fmt.Sprintf("%s %d", t.Segment, t.Vid)
	other := t.Sent
	if other == t.Vid {
		other = t.Also
	}
	switch {
	case t.Changing:
		s = fmt.Sprintf("%s %d to %d", t.Segment, other, t.Vid)
	case other != 0:
		s += fmt.Sprintf("; %d kept", other)
	}
	var state []string
	if t.Waiting > 0 {
		state = append(state, fmt.Sprintf("%d waiting", t.Waiting))
	}
	if t.Failed > 0 {
		state = append(state, fmt.Sprintf("%d failed", t.Failed))
	}
	if t.Next != 0 {
		state = append(state, fmt.Sprintf("%d next", t.Next))
	}
	if len(state) > 0 {
		s += " (" + strings.Join(state, "; ") + ")"
	}
	return s
}

func (a *app) vnRetag() *cobra.Command {
	var port string
	var vid uint16
	var vn *tnsv1.VN
	c := &cobra.Command{
		Use:   "retag VN --port PORT [--vid N]",
		Short: "Change the VID that a virtual network has on a tagged port",
		Long: `Change the VID that a virtual network has on a tagged port, and on the other ports of its segment.

The VMs behind it are told the new VID. Until their TESs have answered, for 30 s at most, both work. This command does not wait for that:
"vn list" shows how far it is, "vm show" the answer of one TES. While a change goes on, another one waits for its end.`,
		Example: "  tnsctl vn retag blue --port eth1\n  tnsctl vn retag 10100 --port eth1 --vid 200",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && port == "":
				return fmt.Errorf("%s: want --port PORT, a tagged port of the VN", c.CommandPath())
			case c.Flags().Changed("vid") && (vid < 1 || vid > 4094):
				return fmt.Errorf("--vid %d: want 1 to 4094, or leave it out", vid)
			}
			return oneVN(&vn)(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				r, err := d.RetagVN(ctx, &tnsv1.RetagVNRequest{Vn: vn, Port: port, Vid: uint32(vid)})
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, viewNetworkTag(r.Tag))
				}
				_, err = fmt.Fprintln(a.out, tagText(r.Tag))
				return err
			})
		},
	}
	c.Flags().StringVar(&port, "port", "", "a tagged port of the VN")
	c.Flags().Uint16Var(&vid, "vid", 0, "the new VID, 1 to 4094 (default: another one that is free)")
	return c
}
