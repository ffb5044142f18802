package supervisor

import "encoding/json"

// ring is the newest of what children asked to keep. One process at a time adds to it.
type ring struct {
	limit int
	from  int // of the oldest, once it is full
	kept  []json.RawMessage
}

func (r *ring) add(m json.RawMessage) {
	switch {
	case r.limit == 0:
	case len(r.kept) < r.limit:
		r.kept = append(r.kept, m)
	default:
		r.kept[r.from] = m
		r.from = (r.from + 1) % r.limit
	}
}

// all is what is kept, the oldest first.
func (r *ring) all() []json.RawMessage {
	return append(append([]json.RawMessage(nil), r.kept[r.from:]...), r.kept[:r.from]...)
}
