package dataplane

import "time"

// table is the desired table and what is known of each entry. It is not safe for concurrent use.
type table struct {
	records map[Key]*record
	dirty   []*record       // to be written; one that is not dirty any more is passed over
	failing map[Key]*record // to be tried again
	last    Generation
}

// record is one key: what was asked for last, and how far that has come. A key that was unset stays until it is gone
// from the kernel.
type record struct {
	entry      Entry
	removed    bool // Unset was last
	generation Generation

	dirty    bool
	inKernel bool // the kernel has what this generation asks for
	err      error
	failures int // in a row
	retry    time.Time

	told   report
	result *waitingResult // the newest
}

// report is what the last Result of a key said.
type report struct {
	generation Generation
	err        string
}

// change is what a record asked for when the loop looked.
type change struct {
	*record
	generation Generation
	removed    bool
}

func newTable() table {
	return table{records: make(map[Key]*record), failing: make(map[Key]*record)}
}

// set takes a wish for an entry. It reports whether the kernel is known to have it.
func (t *table) set(e Entry) (rec *record, done bool) {
	rec = t.touch(e.Key)
	done = rec.inKernel && rec.entry.Equal(e)
	rec.entry, rec.removed = e, false
	if !done {
		rec.inKernel = false
		t.mark(rec)
	}
	return rec, done
}

// unset takes a wish that there be no entry.
func (t *table) unset(k Key) *record {
	rec := t.touch(k)
	rec.entry, rec.removed, rec.inKernel = Entry{Key: k}, true, false
	t.mark(rec)
	return rec
}

// touch is the key's record, with a new generation for the wish that follows.
func (t *table) touch(k Key) *record {
	rec, ok := t.records[k]
	if !ok {
		rec = &record{entry: Entry{Key: k}}
		t.records[k] = rec
	}
	t.last++
	rec.generation, rec.failures = t.last, 0
	return rec
}

// mark makes a record dirty, to be tried at once.
func (t *table) mark(rec *record) {
	delete(t.failing, rec.entry.Key)
	if !rec.dirty {
		rec.dirty = true
		t.dirty = append(t.dirty, rec)
	}
}

// take is the change that a record stands for; it is not dirty any more.
func (t *table) take(rec *record) change {
	rec.dirty = false
	delete(t.failing, rec.entry.Key)
	return change{rec, rec.generation, rec.removed}
}

// takeDirty empties the list of dirty records into what to set and what to delete; changes has an element for each of both. A record may be listed twice: it was dirty,
// was settled by a pass, and is dirty again.
func (t *table) takeDirty() (set []Entry, del []Key, changes []change) {
	set, changes = make([]Entry, 0, len(t.dirty)), make([]change, 0, len(t.dirty))
	var removed []change
	for _, rec := range t.dirty {
		switch {
		case !rec.dirty:
		case rec.removed:
			removed = append(removed, t.take(rec))
			del = append(del, rec.entry.Key)
		default:
			changes = append(changes, t.take(rec))
			set = append(set, rec.entry)
		}
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	return set, del, append(changes, removed...)
}

// rest is every record that is not among the changes.
func (t *table) rest(changes []change) []*record {
	changing := make(map[*record]bool, len(changes))
	for _, c := range changes {
		changing[c.record] = true
	}
	rest := make([]*record, 0, len(t.records))
	for _, rec := range t.records {
		if !changing[rec] {
			rest = append(rest, rec)
		}
	}
	return rest
}

// want is a copy of the wishes.
func (t *table) want() map[Key]Entry {
	want := make(map[Key]Entry, len(t.records))
	for k, rec := range t.records {
		if !rec.removed {
			want[k] = rec.entry
		}
	}
	return want
}

// done notes that the kernel has what the record asks for.
func (t *table) done(rec *record) {
	k := rec.entry.Key
	delete(t.failing, k)
	rec.dirty, rec.inKernel, rec.err, rec.failures = false, true, nil, 0
	if rec.removed {
		delete(t.records, k)
	}
}

// failed notes that the kernel has it not, and when to try again.
func (t *table) failed(rec *record, err error, now time.Time, o options) {
	rec.inKernel, rec.err = false, err
	rec.failures++
	rec.retry = now.Add(o.delay(rec.failures))
	t.failing[rec.entry.Key] = rec
}

// retryDue makes the failing records dirty whose time has come.
func (t *table) retryDue(now time.Time) {
	for _, rec := range t.failing {
		if !rec.retry.After(now) {
			t.mark(rec)
		}
	}
}

// nextRetry is the earliest time at which a failing record is to be tried again, or zero.
func (t *table) nextRetry() (next time.Time) {
	for _, rec := range t.failing {
		if next.IsZero() || rec.retry.Before(next) {
			next = rec.retry
		}
	}
	return next
}
