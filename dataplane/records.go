package dataplane

import (
	"iter"

	"github.com/tns-project/tns/dataplane/internal/flat"
)

// records finds what is known of a key. Nearly all keys are MACs: they are told apart by a few octets without a pointer, not by a whole Key.
type records struct {
	macs   flat.Map[place, *record]
	others map[Key]*record
}

// place is the Key of a Unicast entry that a kernel may hold.
type place struct {
	vni VNI
	mac MAC
}

func newRecords() records { return records{others: make(map[Key]*record)} }

// place is the key as one of macs, or the zero place if it is one of others.
func (k *Key) place() (p place) {
	if k.Kind == Unicast {
		p = place{k.VNI, k.MAC}
	}
	return p
}

// find is the key's record, nil if there is none.
func (r *records) find(k *Key) *record {
	if p := k.place(); p != (place{}) {
		return r.macs.Get(p)
	}
	return r.others[*k]
}

func (r *records) add(rec *record) {
	if p := rec.entry.place(); p != (place{}) {
		r.macs.Set(p, rec)
	} else {
		r.others[rec.entry.Key] = rec
	}
}

func (r *records) remove(rec *record) {
	if p := rec.entry.place(); p != (place{}) {
		r.macs.Delete(p)
	} else {
		delete(r.others, rec.entry.Key)
	}
}

func (r *records) len() int { return r.macs.Len() + len(r.others) }

// all goes through them in no order.
func (r *records) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for _, rec := range r.macs.All() {
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
