package store

import (
	"bytes"
	"cmp"
	"slices"

	"go.etcd.io/bbolt"
)

// entry names one value of a batch, which has its octets, the key first.
type entry struct {
	at     int
	value  uint32 // octets of it
	key    uint16
	bucket uint8 // of buckets
	gone   bool  // there is no value: it is to be deleted
}

// batch is values to write, in the order in which they came: of one name the last counts. Its memory is used again.
type batch struct {
	entries []entry
	octets  []byte
	crowded int // so many entries are looked through for names that are there twice
}

// crowd is the least that is looked through.
const crowd = 4096

func (b *batch) put(bucket uint8, key, value []byte) {
	b.entries = append(b.entries, entry{at: len(b.octets), bucket: bucket, key: uint16(len(key)), value: uint32(len(value)), gone: value == nil})
	b.octets = append(append(b.octets, key...), value...)
	if len(b.entries) >= max(b.crowded, crowd) {
		b.settle()
		b.crowded = 2 * len(b.entries)
	}
}

func (b *batch) keyOf(e *entry) []byte { return b.octets[e.at : e.at+int(e.key)] }

// valueOf is nil for one that is to be deleted.
func (b *batch) valueOf(e *entry) []byte {
	if e.gone {
		return nil
	}
	at := e.at + int(e.key)
	return b.octets[at : at+int(e.value) : at+int(e.value)]
}

// sort brings the entries into the order of the file, those of one name in the order in which they came.
func (b *batch) sort() {
	slices.SortFunc(b.entries, func(x, y entry) int {
		if x.bucket != y.bucket {
			return cmp.Compare(x.bucket, y.bucket)
		}
		if c := bytes.Compare(b.keyOf(&x), b.keyOf(&y)); c != 0 {
			return c
		}
		return cmp.Compare(x.at, y.at)
	})
}

// outdated reports whether a newer value of the name follows the i-th in their order.
func (b *batch) outdated(i int) bool {
	if i+1 == len(b.entries) {
		return false
	}
	x, y := &b.entries[i], &b.entries[i+1]
	return x.bucket == y.bucket && bytes.Equal(b.keyOf(x), b.keyOf(y))
}

// idle is the part of the entries, one of so many, that has to be outdated for settle to take them away: to copy the others costs more than to keep them.
const idle = 4

// settle leaves one value of each name, if many are outdated.
func (b *batch) settle() {
	b.sort()
	left, octets := 0, 0
	for i := range b.entries {
		if e := &b.entries[i]; !b.outdated(i) {
			left, octets = left+1, octets+int(e.key)+int(e.value)
		}
	}
	if (len(b.entries)-left)*idle < len(b.entries) {
		return
	}
	kept := batch{entries: make([]entry, 0, left), octets: make([]byte, 0, octets)}
	for i := range b.entries {
		if !b.outdated(i) {
			e := &b.entries[i]
			kept.entries = append(kept.entries, entry{at: len(kept.octets), bucket: e.bucket, key: e.key, value: e.value, gone: e.gone})
			kept.octets = append(kept.octets, b.octets[e.at:e.at+int(e.key)+int(e.value)]...)
		}
	}
	*b = kept
}

// add puts what a newer batch has behind it.
func (b *batch) add(newer *batch) {
	for i := range newer.entries {
		e := &newer.entries[i]
		b.put(e.bucket, newer.keyOf(e), newer.valueOf(e))
	}
}

// write goes through the values in the order of the file: a page that takes many in their order takes each at its end.
func (b *batch) write(tx *bbolt.Tx) error {
	b.sort()
	var in *bbolt.Bucket
	for i := range b.entries {
		e := &b.entries[i]
		if in == nil || e.bucket != b.entries[i-1].bucket {
			in = tx.Bucket([]byte(buckets[e.bucket]))
		}
		if b.outdated(i) {
			continue
		}
		var err error
		if e.gone {
			err = in.Delete(b.keyOf(e))
		} else {
			err = in.Put(b.keyOf(e), b.valueOf(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spareOctets is how much memory a batch keeps at rest.
const spareOctets = 1 << 20

// empty gives the batch's memory for another one.
func (b *batch) empty() batch {
	if cap(b.octets) > spareOctets {
		return batch{}
	}
	return batch{entries: b.entries[:0], octets: b.octets[:0]}
}
