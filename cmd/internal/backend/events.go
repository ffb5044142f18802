package backend

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/lifecycle/history"
)

// Event is an event of the history.
func Event(e history.Event) *tnsv1.Event {
	return &tnsv1.Event{
		Move:   move(e.Move),
		Number: e.Number, At: timestamppb.New(e.At), Kind: string(e.Kind), Vmid: e.VM, Tes: e.TES, Peer: e.Peer, Vn: e.VN, Vni: e.VNI,
		Mac: e.MAC, Ip: e.IP, Op: e.Op, State: e.State, Status: e.Status, Reason: e.Reason, Sequence: e.Sequence, Detail: e.Detail,
	}
}

// move is what a move's event has beside; nil for other events.
func move(m *history.Move) *tnsv1.Move {
	if m == nil {
		return nil
	}
	end := func(e *history.End) *tnsv1.Move_End {
		if e == nil {
			return nil
		}
		return &tnsv1.Move_End{Tes: e.TES, Nve: e.NVE, Vtep: e.VTEP}
	}
	view := &tnsv1.Move{Id: m.ID, Outcome: m.Outcome, From: end(m.From), To: end(m.To)}
	for _, a := range m.Attachments {
		view.Attachments = append(view.Attachments, &tnsv1.Move_Attachment{Vn: a.VN, Vni: a.VNI, Mac: a.MAC, Ips: a.IPs})
	}
	return view
}

// Story is what the history has of a VM.
func Story(log *history.Log, vmid string) []*tnsv1.Event {
	var story []*tnsv1.Event
	for _, e := range log.OfVM(vmid) {
		story = append(story, Event(e))
	}
	return story
}

// WatchEvents sends the past events that were asked for, then those that come, none twice and none left out.
func WatchEvents(log *history.Log, q *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	var coming <-chan history.Event
	if q.Follow {
		coming = log.Follow(out.Context()) // first, so that nothing falls between past and future
	}
	var past []history.Event
	if q.Vmid == "" {
		past = log.Recent(int(q.Recent))
	} else {
		past = log.OfVM(q.Vmid)
		past = past[max(0, len(past)-int(q.Recent)):]
	}
	last := uint64(0)
	send := func(e history.Event) error {
		if e.Number <= last || q.Vmid != "" && e.VM != q.Vmid {
			return nil
		}
		last = e.Number
		return out.Send(Event(e))
	}
	for _, e := range past {
		if err := send(e); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	for e := range coming {
		if err := send(e); err != nil {
			return err
		}
	}
	return out.Context().Err()
}
