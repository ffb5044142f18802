package dataplane

import "iter"

// records finds what is known of a key. Nearly all keys are MACs: they are told apart by a few octets without a pointer, not by a whole Key.
type records struct {
	macs   map[place]*record
	others map[Key]*record
}

func newRecords() records {
	return records{macs: make(map[place]*record), others: make(map[Key]*record)}
}

// find is the key's record, nil if there is none.
func (r *records) find(k *Key) *record {
	if k.Kind == Unicast {
		return r.macs[place{k.VNI, k.MAC}]
	}
	return r.others[*k]
}

func (r *records) add(rec *record) {
	if rec.kind == Unicast {
		r.macs[rec.mac] = rec
	} else {
		r.others[rec.key()] = rec
	}
}

func (r *records) remove(rec *record) {
	if rec.kind == Unicast {
		delete(r.macs, rec.mac)
	} else {
		delete(r.others, rec.key())
	}
}

func (r *records) len() int { return len(r.macs) + len(r.others) }

// all goes through them in no order.
func (r *records) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for _, rec := range r.macs {
			if !yield(rec) {
				return
			}
		}
		for _, rec := range r.others {
			if !yield(rec) {
				return
			}
		}
	}
}
