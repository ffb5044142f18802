package backend

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// stream collects what is sent.
type stream struct {
	grpc.ServerStreamingServer[tnsv1.Event]
	ctx  context.Context
	sent chan uint64
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) Send(e *tnsv1.Event) error { s.sent <- e.Number; return nil }

func watch(t *testing.T, log *history.Log, q *tnsv1.WatchEventsRequest) []uint64 {
	t.Helper()
	s := &stream{ctx: t.Context(), sent: make(chan uint64, 100)}
	if err := WatchEvents(log, q, s); err != nil {
		t.Fatal(err)
	}
	close(s.sent)
	var numbers []uint64
	for n := range s.sent {
		numbers = append(numbers, n)
	}
	return numbers
}

func TestWatchEventsOfThePast(t *testing.T) {
	log := history.New(100, 100)
	for _, vm := range []string{"a", "b", "a", "", "b", "a"} {
		log.Append(history.Event{VM: vm, At: time.Unix(1, 0)})
	}
	for name, c := range map[string]struct {
		q    *tnsv1.WatchEventsRequest
		want []uint64
	}{
		"all":                      {&tnsv1.WatchEventsRequest{Recent: 100}, []uint64{1, 2, 3, 4, 5, 6}},
		"the newest":               {&tnsv1.WatchEventsRequest{Recent: 2}, []uint64{5, 6}},
		"none":                     {&tnsv1.WatchEventsRequest{}, nil},
		"of a VM":                  {&tnsv1.WatchEventsRequest{Recent: 100, Vmid: "a"}, []uint64{1, 3, 6}},
		"the newest of a VM":       {&tnsv1.WatchEventsRequest{Recent: 2, Vmid: "b"}, []uint64{2, 5}},
		"of a VM that is gone":     {&tnsv1.WatchEventsRequest{Recent: 100, Vmid: "c"}, nil},
		"more than there ever was": {&tnsv1.WatchEventsRequest{Recent: 1 << 31}, []uint64{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, watch(t, log, c.q)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Events that come while the past is sent are neither lost nor sent twice.
func TestWatchEventsFollows(t *testing.T) {
	log := history.New(100, 100)
	log.Append(history.Event{})
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{ctx: ctx, sent: make(chan uint64)} // the sender waits for us
	done := make(chan error, 1)
	go func() { done <- WatchEvents(log, &tnsv1.WatchEventsRequest{Recent: 10, Follow: true}, s) }()
	for want := uint64(1); want <= 5; want++ {
		if got := <-s.sent; got != want {
			t.Fatalf("event %d, want %d", got, want)
		}
		log.Append(history.Event{VM: "a"})
	}
	cancel()
	for {
		select {
		case <-s.sent: // what was on its way
		case err := <-done:
			if err == nil {
				t.Error("the stream of a caller who left ended without an error")
			}
			return
		}
	}
}

// The numbers of operations and states are those on the wire, so that they need no table.
func TestNumbersAreThoseOnTheWire(t *testing.T) {
	for op, want := range map[evpn.Op]tnsv1.Op{
		evpn.PreAssociate: tnsv1.Op_OP_PRE_ASSOCIATE, evpn.Associate: tnsv1.Op_OP_ASSOCIATE, evpn.Suspend: tnsv1.Op_OP_SUSPEND,
		evpn.Resume: tnsv1.Op_OP_RESUME, evpn.Emigrate: tnsv1.Op_OP_EMIGRATE, evpn.Terminate: tnsv1.Op_OP_TERMINATE,
	} {
		if got := Op(op); got != want {
			t.Errorf("op %v is %v, want %v", op, got, want)
		}
	}
	for state, want := range map[evpn.State]tnsv1.State{
		evpn.StateNull: tnsv1.State_STATE_NULL, evpn.StatePreAssociated: tnsv1.State_STATE_PRE_ASSOCIATED,
		evpn.StateAssociated: tnsv1.State_STATE_ASSOCIATED, evpn.StateSuspended: tnsv1.State_STATE_SUSPENDED,
		evpn.StateEmigrating: tnsv1.State_STATE_EMIGRATING, evpn.StateTerminated: tnsv1.State_STATE_TERMINATED,
	} {
		if got := State(state); got != want {
			t.Errorf("state %v is %v, want %v", state, got, want)
		}
	}
	for status, want := range map[evpn.Status]tnsv1.Status{
		evpn.Success: tnsv1.Status_STATUS_SUCCESS, evpn.Fail: tnsv1.Status_STATUS_FAIL, evpn.FailKept: tnsv1.Status_STATUS_FAIL_KEPT,
		evpn.Pending: tnsv1.Status_STATUS_PENDING, 9: tnsv1.Status_STATUS_UNSPECIFIED,
	} {
		if got := Status(status); got != want {
			t.Errorf("status %v is %v, want %v", status, got, want)
		}
	}
}

func TestPolicies(t *testing.T) {
	p := func(id, version uint32) *tnsv1.Policy { return &tnsv1.Policy{Id: id, Version: version} }
	uses := Policies([]*tnsv1.VM{
		{Vmid: "a", Routes: []*tnsv1.Route{{Mac: "1", Policy: p(2, 0)}, {Mac: "2"}, {Mac: "3", Policy: p(1, 2)}}},
		{Vmid: "b", Routes: []*tnsv1.Route{{Mac: "4", Policy: p(1, 1)}, {Mac: "5", Policy: p(1, 2)}}},
	})
	var got []string
	for _, u := range uses {
		got = append(got, u.Vmid+u.Mac)
	}
	if diff := cmp.Diff([]string{"b4", "a3", "b5", "a1"}, got); diff != "" {
		t.Errorf("uses, by profile (-want +got):\n%s", diff)
	}
}
