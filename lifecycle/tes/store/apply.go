package store

import (
	"errors"
	"fmt"
	"maps"
	"time"

	bolt "go.etcd.io/bbolt"
)

// When what was written to the journal goes into bbolt's file.
const (
	quiet   = 30 * time.Millisecond // after the last record …
	longest = time.Second           // … and this long after the first, whatever comes
	retry   = time.Second           // after bbolt could not be written
)

// enough is the size of the journal at which its writers wait until bbolt is up to date: what comes meanwhile would go behind, and the
// journal grow for as long as it comes.
const enough = 4 << 20

var errClosed = errors.New("it is closed")

// start begins with what the journal holds.
func (db *DB) start() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.enough = enough
	db.numbers = maps.Clone(db.image.Numbers)
	db.timer = time.AfterFunc(quiet, db.wake)
	db.armed = true
	db.first = time.Now()
	db.newest = db.first
}

// add writes a record to the journal, with mu held; a failed one changes nothing.
func (db *DB) add(kind byte, body ...[]byte) error {
	if db.closed {
		return errClosed
	}
	if err := db.journal.add(kind, body...); err != nil {
		return err
	}
	db.arm(quiet)
	return nil
}

// arm has bbolt brought up to date after that time, or when that was due before, with mu held.
func (db *DB) arm(after time.Duration) {
	db.newest = time.Now()
	if db.armed {
		return
	}
	db.armed, db.first = true, db.newest
	db.timer.Reset(after)
}

// wake is called by the timer. A later record only moves the time to which it sets it again: nothing runs beside what is announced.
func (db *DB) wake() {
	db.mu.Lock()
	now := time.Now()
	left := min(db.newest.Add(quiet).Sub(now), db.first.Add(longest).Sub(now))
	switch {
	case db.closed:
		db.mu.Unlock()
		return
	case left > 0 && db.journal.end < db.enough:
		db.timer.Reset(left)
		db.mu.Unlock()
		return
	}
	db.armed = false
	db.mu.Unlock()
	if db.apply() == nil {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.closed {
		db.arm(retry)
	}
}

// apply brings bbolt up to date, in one transaction. When it fails, the journal still holds everything.
func (db *DB) apply() error {
	db.applying.Lock()
	defer db.applying.Unlock()
	db.mu.Lock()
	defer db.mu.Unlock()
	work, last := db.pending, db.journal.last
	if work.isEmpty() {
		return nil
	}
	db.pending = newBatch()
	wait := db.journal.end >= db.enough
	if !wait {
		db.mu.Unlock()
	}
	err := guarded(func() error { return db.bolt.Update(func(tx *bolt.Tx) error { return work.write(tx, last) }) })
	if !wait {
		db.mu.Lock()
	}
	if err != nil {
		work.add(db.pending)
		db.pending = work
		return fmt.Errorf("bring %s up to date: %w", db.path, err)
	}
	if db.journal.last == last {
		db.journal.empty()
	}
	return nil
}

// Close brings bbolt's file up to date and lets go of it. An error is no loss: the journal has what the file has not.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.timer.Stop()
	db.mu.Unlock()
	return errors.Join(db.apply(), db.journal.close(), db.bolt.Close())
}
