package supervisor

import "encoding/json"

// ring is the newest of what children asked to keep: as little of it as counts for the limit. One process at a time adds to it.
type ring struct {
	limit int
	count int // of all that is kept
	kept  []counted
}

// counted is something that counts as so many.
type counted struct {
	count int
	value json.RawMessage
}

func (r *ring) add(c counted) {
	if r.limit == 0 {
		return
	}
	c.count = max(c.count, 1) // a version before this one does not say, and would have all kept for ever
	r.kept = append(r.kept, c)
	r.count += c.count
	for r.count-r.kept[0].count >= r.limit {
		r.count -= r.kept[0].count
		r.kept[0] = counted{}
		r.kept = r.kept[1:]
	}
}

// all is what is kept, the oldest first.
func (r *ring) all() []json.RawMessage {
	var all []json.RawMessage
	for _, c := range r.kept {
		all = append(all, c.value)
	}
	return all
}
