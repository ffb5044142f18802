// Package history keeps what happened to each VM, for people: a bounded log in memory, by VM and in whole.
package history

import (
	"context"
	"time"
)

// Kind sorts events.
type Kind string

const (
	KindRequest  Kind = "request"  // a request was received (nved) or sent (tesd)
	KindResponse Kind = "response" // an answer was sent (nved) or received (tesd)
	KindState    Kind = "state"    // a state changed, or a mark
	KindFDB      Kind = "fdb"      // an entry was written or removed in the kernel
	KindFabric   Kind = "fabric"   // a fabric route was announced, withdrawn or seen
	KindSession  Kind = "session"
	KindAlarm    Kind = "alarm"
)

// Event is one thing that happened. Empty fields do not apply.
type Event struct {
	Number   uint64    `json:"number"`
	At       time.Time `json:"at"`
	Kind     Kind      `json:"kind"`
	VM       string    `json:"vmid,omitempty"`
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
}

// Log holds the newest events. It is safe for concurrent use.
type Log struct{}

// New makes a log of at most total events, and at most perVM of one VM.
func New(total, perVM int) *Log { return &Log{} }

// Append numbers the event and keeps it.
func (l *Log) Append(e Event) {}

// OfVM is the story of one VM, oldest first.
func (l *Log) OfVM(vm string) []Event { return nil }

// Recent is up to n of the newest events, oldest first.
func (l *Log) Recent(n int) []Event { return nil }

// Follow sends events from now on until ctx ends, when it closes the channel. A reader that is too slow loses the oldest; the number of
// the next event tells.
func (l *Log) Follow(ctx context.Context) <-chan Event { return nil }
