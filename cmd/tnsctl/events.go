package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// eventView is one thing that happened. Keys that do not apply are left out.
type eventView struct {
	Number   uint64    `json:"number"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	VMID     string    `json:"vmid,omitempty"`
	TES      string    `json:"tes,omitempty"`
	Peer     string    `json:"peer,omitempty"`
	VN       string    `json:"vn,omitempty"`
	VNI      uint32    `json:"vni,omitempty"`
	MAC      string    `json:"mac,omitempty"`
	IP       string    `json:"ip,omitempty"`
	Op       string    `json:"op,omitempty"`
	State    string    `json:"state,omitempty"`
	Status   string    `json:"status,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Sequence uint32    `json:"sequence,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Move     *moveView `json:"move,omitempty"`
}

func viewEvent(e *tnsv1.Event) eventView {
	return eventView{
		Number: e.Number, At: e.At.AsTime(), Kind: e.Kind, VMID: e.Vmid, TES: e.Tes, Peer: e.Peer, VN: e.Vn, VNI: e.Vni, MAC: e.Mac, IP: e.Ip,
		Op: e.Op, State: e.State, Status: e.Status, Reason: e.Reason, Sequence: e.Sequence, Detail: e.Detail,
		Move: viewMove(e.Move),
	}
}

// clock is a time of day for people.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// binding is what of a VN the event is about.
func (e eventView) binding() string {
	if e.Move != nil {
		return e.Move.bindings()
	}
	return words(vnWords(e.VN, e.VNI), e.MAC, e.IP)
}

// what is what happened.
func (e eventView) what() string {
	if e.Move != nil {
		return words(e.Op, e.Move.Outcome, e.State, e.Reason, e.Move.ends())
	}
	return words(e.Op, e.Status, e.State, e.Reason, e.Detail)
}

// words joins what is not empty.
func words(list ...string) string {
	kept := list[:0]
	for _, w := range list {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

func (e eventView) sequence() string {
	if e.Sequence == 0 {
		return ""
	}
	return fmt.Sprint(e.Sequence)
}

func (a *app) events() *cobra.Command {
	var q tnsv1.WatchEventsRequest
	c := &cobra.Command{
		Use:     "events",
		Short:   "Print what happened lately, and with --follow what happens",
		Long:    "Print what happened lately, oldest first, and with --follow what happens from now on.\n\nWith --json it is an array, with --follow one object a line.",
		Example: "  tnsctl events --follow\n  tnsctl events --recent 20 --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --json",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil || q.Vmid == "" {
				return err
			}
			var err error
			q.Vmid, err = parseVMID(q.Vmid)
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if q.Follow {
				return a.follow(c.Context(), &q)
			}
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error { return a.recent(ctx, d, &q) })
		},
	}
	c.Flags().BoolVar(&q.Follow, "follow", false, "go on until interrupted")
	c.Flags().Uint32Var(&q.Recent, "recent", 100, "how many past events to print first")
	c.Flags().StringVar(&q.Vmid, "vm", "", "only the events of the VM with this `UUID`")
	return c
}

// recent prints what happened lately.
func (a *app) recent(ctx context.Context, d *control.Client, q *tnsv1.WatchEventsRequest) error {
	events := []eventView{}
	err := a.watch(ctx, d, q, func(e eventView) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		return err
	}
	return a.show(events, eventTable(events, true))
}

// eventTable is events for people; with the VM's column where they are of several.
func eventTable(events []eventView, vm bool) *table {
	t := newTable("TIME", "KIND", "TES", "PEER", "SEQUENCE", "BINDING", "WHAT")
	if vm {
		t = newTable("TIME", "KIND", "VM", "TES", "PEER", "SEQUENCE", "BINDING", "WHAT")
	}
	for _, e := range events {
		cells := []any{clock(e.At), e.Kind, e.VMID, e.TES, e.Peer, e.sequence(), e.binding(), e.what()}
		if !vm {
			cells = append(cells[:2], cells[3:]...)
		}
		t.row(cells...)
	}
	return t
}

// follow prints events as they come until it is interrupted, which is a success, or the daemon goes.
func (a *app) follow(ctx context.Context, q *tnsv1.WatchEventsRequest) error {
	d, err := a.dial(ctx, eitherDaemon)
	if err != nil {
		return err
	}
	defer d.Close()
	err = a.watch(ctx, d, q, func(e eventView) error {
		if a.json {
			return printLine(a.out, e)
		}
		_, err := fmt.Fprintln(a.out, words(clock(e.At), e.Kind, e.VMID, e.TES, e.Peer, e.sequence(), e.binding(), e.what()))
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		return control.Errorf(control.ErrNoDaemon, "%s ended the stream", d.Address)
	}
	return err
}

// watch hands out each event of the stream.
func (a *app) watch(ctx context.Context, d *control.Client, q *tnsv1.WatchEventsRequest, each func(eventView) error) error {
	stream, err := d.WatchEvents(ctx, q)
	if err != nil {
		return err
	}
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(viewEvent(e)); err != nil {
			return err
		}
	}
}
