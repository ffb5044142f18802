package dataplane

import (
	"net/netip"
	"time"
)

// record is one key: what was asked for last, and how far that has come. A key that was unset stays until it is gone
// from the kernel, and its answer is taken.
//
// There are as many as there are MACs in all VNs, so it is small.
type record struct {
	mac  place // the key, if the kind is Unicast
	kind Kind

	removed  bool // Unset was last
	dirty    bool
	inKernel bool // the kernel has what this generation asks for
	waits    bool // it is among told, and the following is what the last result says

	toldRemoved, toldFailed bool

	what       *Entry // what was asked for; Unicast: without the key, and others have it, too
	generation Generation
	told       Generation // of the last result
	failure    *failure   // what the kernel said last; nil: nothing bad
}

// place is the Key of a Unicast entry.
type place struct {
	vni VNI
	mac MAC
}

// nowhere is what a Unicast record asks for that was unset.
var nowhere = Entry{Key: Key{Kind: Unicast}}

func newRecord(k *Key) *record {
	rec := &record{kind: k.Kind}
	if k.Kind == Unicast {
		rec.mac = place{k.VNI, k.MAC}
	}
	rec.nothing(k)
	return rec
}

// nothing has the record ask for nothing.
func (rec *record) nothing(k *Key) {
	if rec.kind == Unicast {
		rec.what = &nowhere
	} else {
		rec.what = &Entry{Key: *k}
	}
}

func (rec *record) key() Key {
	if rec.kind == Unicast {
		return Key{Kind: Unicast, VNI: rec.mac.vni, MAC: rec.mac.mac}
	}
	return rec.what.Key
}

// entry is what was asked for last.
func (rec *record) entry() Entry {
	e := *rec.what
	e.Key = rec.key()
	return e
}

// gone reports whether all that is left of a record is its answer.
func (rec *record) gone() bool { return rec.removed && rec.inKernel }

// failure is that the kernel does not have what is asked for.
type failure struct {
	err   error
	told  error
	count int // in a row
	retry time.Time
}

// error is the failure's, or nil.
func (rec *record) error() error {
	if rec.failure == nil {
		return nil
	}
	return rec.failure.err
}

// places are where Unicast entries are, each once.
type places struct {
	last *Entry // most entries are where the one before them is
	all  map[where]*Entry
}

type where struct {
	port string
	vtep netip.Addr
}

// mostPlaces is how many are looked for: ports and VTEPs come and go, and those that nobody asks for any more are let go of together with all others.
const mostPlaces = 4096

// of is the entry's place.
func (p *places) of(e *Entry) *Entry {
	if l := p.last; l != nil && l.LocalPort == e.LocalPort && l.VTEP == e.VTEP {
		return l
	}
	at := where{e.LocalPort, e.VTEP}
	if p.last = p.all[at]; p.last == nil {
		if p.all == nil || len(p.all) >= mostPlaces {
			p.all = make(map[where]*Entry)
		}
		p.last = &Entry{Key: nowhere.Key, LocalPort: e.LocalPort, VTEP: e.VTEP}
		p.all[at] = p.last
	}
	return p.last
}
