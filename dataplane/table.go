package dataplane

import "time"

// table is the desired table and what is known of each entry. It is not safe for concurrent use.
type table struct {
	records
	places   places
	dirty    line // to be written; one that is not dirty any more is passed over
	policies bool // a policy is among them
	failing  map[*record]struct{}
	told     line // those whose answer waits
	last     Generation
}

// change is what a record asked for when the loop looked.
type change struct {
	*record
	generation Generation
	removed    bool
}

// work is changes that are written in one: what to set and what to delete, and an element of changes for each of both. Its memory is used again.
type work struct {
	set     []Entry
	del     []Key
	changes []change
	removed []change
}

func newTable() table {
	return table{records: newRecords(), failing: make(map[*record]struct{})}
}

// set takes a wish for an entry. It reports whether the kernel is known to have it.
func (t *table) set(e *Entry) (rec *record, done bool) {
	what := t.asked(e)
	rec = t.touch(&e.Key)
	done = rec.inKernel && !rec.removed && (what == rec.what || what.Equal(*rec.what))
	rec.what, rec.removed = what, false
	if !done {
		rec.inKernel = false
		t.mark(rec)
	}
	return rec, done
}

// asked is what a record says of a wish. It does not keep the wish itself, which would be memory for each.
func (t *table) asked(e *Entry) *Entry {
	if e.Kind == Unicast {
		return t.places.of(e)
	}
	c := e.canonical()
	return &c
}

// unset takes a wish that there be no entry.
func (t *table) unset(k *Key) *record {
	rec := t.touch(k)
	rec.removed, rec.inKernel = true, false
	rec.nothing(k)
	t.mark(rec)
	return rec
}

// touch is the key's record, with a new generation for the wish that follows.
func (t *table) touch(k *Key) *record {
	rec := t.find(k)
	if rec == nil {
		rec = newRecord(k)
		t.add(rec)
	}
	t.last++
	rec.generation = t.last
	if rec.failure != nil {
		rec.failure.count = 0
	}
	return rec
}

// mark makes a record dirty, to be tried at once.
func (t *table) mark(rec *record) {
	t.tried(rec)
	if !rec.dirty {
		rec.dirty = true
		t.dirty.add(rec)
		t.policies = t.policies || rec.kind == Policy
	}
}

// take is the change that a record stands for; it is not dirty any more.
func (t *table) take(rec *record) change {
	rec.dirty = false
	t.tried(rec)
	return change{rec, rec.generation, rec.removed}
}

// tried takes a record from those to be tried again.
func (t *table) tried(rec *record) {
	if rec.failure != nil {
		delete(t.failing, rec)
	}
}

// empty has it hold nothing.
func (w *work) empty() {
	w.set, w.del, w.changes, w.removed = w.set[:0], w.del[:0], w.changes[:0], w.removed[:0]
}

// takeDirty takes of the first so many dirty records at most so many, unless a policy is among them: then what waits goes in one. A record may be listed twice: it
// was dirty, was settled by a pass, and is dirty again.
func (t *table) takeDirty(w *work, first, most int) {
	if !t.policies {
		first = min(first, most)
	}
	for _, rec := range t.dirty.first(first) {
		switch {
		case !rec.dirty:
		case rec.removed:
			w.removed = append(w.removed, t.take(rec))
			w.del = append(w.del, rec.key())
		default:
			w.changes = append(w.changes, t.take(rec))
			w.set = append(w.set, rec.entry())
		}
	}
	t.dirty.drop(first)
	t.policies = t.policies && t.dirty.len() > 0
	w.changes = append(w.changes, w.removed...)
}

// rest is every record that is not among the changes.
func (t *table) rest(changes []change) []*record {
	changing := make(map[*record]bool, len(changes))
	for _, c := range changes {
		changing[c.record] = true
	}
	rest := make([]*record, 0, t.len())
	for rec := range t.all() {
		if !changing[rec] {
			rest = append(rest, rec)
		}
	}
	return rest
}

// want is a copy of the wishes.
func (t *table) want() map[Key]Entry {
	want := make(map[Key]Entry, t.len())
	for rec := range t.all() {
		if !rec.removed {
			want[rec.key()] = rec.entry()
		}
	}
	return want
}

// done notes that the kernel has what the record asks for, and has that told.
func (t *table) done(rec *record) {
	t.tried(rec)
	rec.dirty, rec.inKernel, rec.failure = false, true, nil
	t.tell(rec)
	if rec.removed && !rec.waits {
		t.remove(rec)
	}
}

// failed notes that the kernel has it not, and when to try again.
func (t *table) failed(rec *record, err error, now time.Time, o options) {
	f := rec.failure
	if f == nil {
		f = new(failure)
		rec.failure = f
	}
	rec.inKernel, f.err = false, err
	f.count++
	f.retry = now.Add(o.delay(f.count))
	t.failing[rec] = struct{}{}
}

// retryDue makes the failing records dirty whose time has come.
func (t *table) retryDue(now time.Time) {
	for rec := range t.failing {
		if !rec.failure.retry.After(now) {
			t.mark(rec)
		}
	}
}

// nextRetry is the earliest time at which a failing record is to be tried again, or zero.
func (t *table) nextRetry() (next time.Time) {
	for rec := range t.failing {
		if retry := rec.failure.retry; next.IsZero() || retry.Before(next) {
			next = retry
		}
	}
	return next
}

// tell has a record's result wait to be taken, unless the last one said the same. One that waits already keeps its turn.
func (t *table) tell(rec *record) {
	f := rec.failure
	failed := f != nil && f.err != nil
	if rec.told == rec.generation && rec.toldFailed == failed && (!failed || f.told.Error() == f.err.Error()) {
		return
	}
	rec.told, rec.toldRemoved, rec.toldFailed = rec.generation, rec.removed, failed
	if failed {
		f.told = f.err
	}
	if !rec.waits {
		rec.waits = true
		t.told.add(rec)
	}
}

// answers appends to into what waits, the oldest first, at most so many.
func (t *table) answers(into []Result, most int) []Result {
	some := t.told.first(min(most, t.told.len()))
	for _, rec := range some {
		rec.waits = false
		result := Result{Key: rec.key(), Generation: rec.told, Removed: rec.toldRemoved}
		if rec.toldFailed {
			result.Err = rec.failure.told
		}
		into = append(into, result)
		if rec.gone() {
			t.remove(rec)
		}
	}
	t.told.drop(len(some))
	return into
}

// answered reports whether no answer waits.
func (t *table) answered() bool { return t.told.len() == 0 }
