package history_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/lifecycle/history"
)

// What is read is what was appended, whatever it says and however much was said before.
func TestLogKeepsEventsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"associated", "success"}), rapid.StringN(0, 200, -1))
		l := history.New(8, 8)
		for i := range rapid.SampledFrom([]int{0, 0, 5000}).Draw(t, "said before") {
			l.Append(history.Event{State: fmt.Sprint("state ", i), Detail: fmt.Sprint("detail ", i)})
		}
		var want []history.Event
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			e := history.Event{
				At: time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).In(rapid.SampledFrom([]*time.Location{time.UTC, time.Local, time.FixedZone("", 3600)}).Draw(t, "zone")),
				VM: text.Draw(t, "vm"), TES: text.Draw(t, "tes"), Peer: text.Draw(t, "peer"), VN: text.Draw(t, "vn"), VNI: rapid.Uint32().Draw(t, "vni"), MAC: rapid.OneOf(text, rapid.StringMatching(`([0-9a-f]{2}:){5}[0-9a-fA-F]{2}`)).Draw(t, "mac"),
				IP: text.Draw(t, "ip"), Op: text.Draw(t, "op"), State: text.Draw(t, "state"), Status: text.Draw(t, "status"), Reason: text.Draw(t, "reason"),
				Sequence: rapid.Uint32().Draw(t, "sequence"), Detail: text.Draw(t, "detail"), Kind: history.Kind(text.Draw(t, "kind")),
			}
			if rapid.Bool().Draw(t, "moves") {
				e.Move = &history.Move{ID: "1", Outcome: "completed", To: &history.End{VTEP: "192.0.2.2"}, Attachments: []history.Attachment{{VN: "blue", VNI: 7, MAC: "02:00:00:00:00:01", IPs: []string{"10.0.0.1"}}}}
			}
			l.Append(e)
			want = append(want, e)
		}
		same(t, l.Recent(len(want)), want)
		same(t, unpacked(t, want), want)
	})
}

// unpacked is what comes of packed events; a part of the octets is none.
func unpacked(t *rapid.T, events []history.Event) []history.Event {
	b := history.Pack(events)
	for n := range b {
		if got, err := history.Unpack(b[:n]); err == nil {
			t.Errorf("%d octets of %d are %d events", n, len(b), len(got))
		}
	}
	got, err := history.Unpack(b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// same holds what was read against what was appended; a log has numbered it.
func same(t *rapid.T, got, want []history.Event) {
	if len(got) != len(want) {
		t.Fatalf("got %d events, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].At.Equal(want[i].At) || got[i].At.String() != want[i].At.String() {
			t.Errorf("at %v, want %v", got[i].At, want[i].At)
		}
		got[i].Number, got[i].At = 0, want[i].At
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}
