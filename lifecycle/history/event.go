package history

import "time"

// Kind sorts events.
type Kind string

const (
	KindRequest  Kind = "request"  // a request was received (nved) or sent (tesd)
	KindResponse Kind = "response" // an answer was sent (nved) or received (tesd)
	KindState    Kind = "state"    // a state changed, or a mark
	KindFDB      Kind = "fdb"      // an entry was written or removed in the kernel
	KindFabric   Kind = "fabric"   // a fabric route was announced, withdrawn or seen
	KindSession  Kind = "session"
	KindMove     Kind = "move" // a VM comes or goes, as middleboxes are told of it (nved)
	KindTag      Kind = "tag"  // a local tag changes, or a TES applied one
	KindAlarm    Kind = "alarm"
)

// Event is one thing that happened. Empty fields do not apply.
type Event struct {
	Number   uint64    `json:"number"` // 1, 2, 3, … in the order of Append; a gap tells a reader that it missed some
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
	Move     *Move     `json:"move,omitempty"` // of KindMove only
}
