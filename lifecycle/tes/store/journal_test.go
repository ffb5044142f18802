package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/tns-project/tns/evpn"
)

// hold leaves what is written in the journal, until apply is called.
func hold(db *DB) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.timer.Stop()
	db.armed = true
}

// crash is a copy of both files as they are now, as a power failure leaves them.
func crash(t testing.TB, path string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "tesd.db")
	for _, suffix := range []string{"", journalSuffix} {
		b, err := os.ReadFile(path + suffix)
		if suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(copied+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// reread is what a file holds when it is opened; its journal is applied after that.
func reread(t testing.TB, path string) Image {
	t.Helper()
	db, err := Open(path, tesID)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Load()
}

func applied(t testing.TB, db *DB) (n uint64) {
	t.Helper()
	if err := db.bolt.View(func(tx *bolt.Tx) (err error) { n, err = readApplied(tx.Bucket(metaBucket)); return err }); err != nil {
		t.Fatal(err)
	}
	return n
}

// Whatever is written, in whatever order bbolt follows: a crash at any time loses nothing, and what was replayed once is not replayed again.
func TestCrashes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	hold(db)
	want := Image{Sequences: map[evpn.VMID]uint32{}, Numbers: map[string]uint16{}, Rebuilt: map[evpn.RouterID]bool{}}
	check := func(when, path string) {
		t.Helper()
		im := reread(t, path)
		if diff := cmp.Diff(want, im, compareAddr, cmp.Transformer("byID", func(vms []VM) map[evpn.VMID]VM {
			m := map[evpn.VMID]VM{}
			for _, v := range vms {
				m[v.ID] = v
			}
			return m
		})); diff != "" {
			t.Fatalf("%s: -want +got:\n%s", when, diff)
		}
	}
	random := rand.New(rand.NewPCG(3, 5))
	for step := range 60 {
		for range 1 + random.IntN(4) {
			v := full(byte(1 + random.IntN(6)))
			v.Request.Sequence = uint32(step)
			v.Standing = v.Standing[:1+random.IntN(2)]
			var err error
			for _, vn := range []string{"blue", "name d'été"} {
				n, failed := db.Number(vn)
				err = errors.Join(err, failed)
				want.Numbers[vn] = n
			}
			err = errors.Join(err, db.Put(v))
			want.VMs = append(deleted(want.VMs, v.ID), v)
			want.Sequences[v.ID] = v.Request.Sequence
			if random.IntN(3) == 0 {
				id := vmid(byte(1 + random.IntN(6)))
				err = errors.Join(err, db.Forget(id))
				want.VMs = deleted(want.VMs, id)
			}
			if random.IntN(5) == 0 {
				err = errors.Join(err, db.SetRebuilt(evpn.RouterID(step)))
				want.Rebuilt[evpn.RouterID(step)] = true
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		before := crash(t, path)
		check(fmt.Sprintf("step %d, before bbolt has it", step), before)
		check(fmt.Sprintf("step %d, replayed", step), before)
		switch random.IntN(3) {
		case 0:
			if err := db.apply(); err != nil {
				t.Fatal(err)
			}
		case 1: // bbolt has committed, and the journal goes on behind its records
			db.mu.Lock()
			work, last := db.pending, db.journal.last
			db.pending = newBatch()
			db.mu.Unlock()
			if err := db.bolt.Update(func(tx *bolt.Tx) error { return work.write(tx, last) }); err != nil {
				t.Fatal(err)
			}
		}
		check(fmt.Sprintf("step %d, after", step), crash(t, path))
	}
	db.Close()
	check("closed", path)
	if err := os.Remove(path + journalSuffix); err != nil {
		t.Fatal(err)
	}
	check("closed, without its journal", path)
}

func deleted(vms []VM, id evpn.VMID) (rest []VM) {
	for _, v := range vms {
		if v.ID != id {
			rest = append(rest, v)
		}
	}
	return rest
}

// journalled is a file whose VMs are in its journal only: the content of both, and where the journal's last record begins and ends.
func journalled(t *testing.T, last func(*DB) error) (path string, content []byte, from, to int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	hold(db)
	for _, vn := range []string{"blue", "name d'été"} {
		if _, err := db.Number(vn); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Put(full(1)); err != nil {
		t.Fatal(err)
	}
	from = db.journal.end
	if err := last(db); err != nil {
		t.Fatal(err)
	}
	to = db.journal.end
	path = crash(t, path)
	content, err := os.ReadFile(path + journalSuffix)
	if err != nil {
		t.Fatal(err)
	}
	return path, content, from, to
}

// A record that was not written wholly was never acknowledged: it is not there, and the next takes its place.
func TestTornTail(t *testing.T) {
	path, content, from, to := journalled(t, func(db *DB) error { return db.Put(full(2)) })
	for n := from; n < to; n++ {
		zeros := bytes.Clone(content[:to])
		clear(zeros[n:])
		for _, torn := range [][]byte{content[:n], zeros} {
			if err := os.WriteFile(path+journalSuffix, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			j, entries, err := readJournal(path+journalSuffix, tesID, 0)
			if err != nil || len(entries) != 3 || j.end != from || j.last != 3 {
				t.Fatalf("%d octets of %d: %d records, the next at %d, %v; want 3 and %d", n-from, to-from, len(entries), j.end, err, from)
			}
		}
	}

	path, content, from, to = journalled(t, func(db *DB) error { return db.SetRebuilt(tesID + 1) })
	for n := from; n <= to; n++ {
		zeros := bytes.Clone(content)
		clear(zeros[n:])
		for _, torn := range [][]byte{content[:n], zeros} {
			again := crash(t, path)
			if err := os.WriteFile(again+journalSuffix, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			db := open(t, again)
			if im := db.Load(); len(im.VMs) != 1 || im.Rebuilt[tesID+1] != (n == to) {
				t.Fatalf("%d octets of %d: got %+v", n-from, to-from, im)
			}
			hold(db)
			if err := db.Put(full(3)); err != nil {
				t.Fatal(err)
			}
			if im := reread(t, crash(t, again)); len(im.VMs) != 2 {
				t.Fatalf("%d octets of %d: %d VMs after one more was written, want 2", n-from, to-from, len(im.VMs))
			}
			db.Close()
		}
	}
}

// Whatever octet of the journal rots, it is refused; only the last record cannot be told from one that was not written wholly.
func TestJournalThatRots(t *testing.T) {
	path, content, from, to := journalled(t, func(db *DB) error { return db.Put(full(2)) })
	for at := range to {
		rotten := bytes.Clone(content[:to])
		rotten[at] ^= byte(1 + at%255)
		if err := os.WriteFile(path+journalSuffix, rotten, 0o600); err != nil {
			t.Fatal(err)
		}
		_, entries, err := readJournal(path+journalSuffix, tesID, 0)
		var corrupt *CorruptError
		switch {
		case at >= from && (err != nil || len(entries) != 3):
			t.Errorf("octet %d, of the last record: %d records, %v", at, len(entries), err)
		case at < from && !errors.As(err, &corrupt):
			t.Errorf("octet %d: %d records, %v; want a CorruptError", at, len(entries), err)
		}
	}

	rotten := bytes.Clone(content)
	rotten[from-3] ^= 1
	if err := os.WriteFile(path+journalSuffix, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, tesID)
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), path+journalSuffix) || !strings.Contains(err.Error(), "left as it is") || !strings.Contains(err.Error(), "both away") {
		t.Errorf("got %v, want a CorruptError that names the journal and says what to do", err)
	}
	for name, want := range map[string][]byte{path: before, path + journalSuffix: rotten} {
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, want) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

func TestJournalThatDoesNotBelong(t *testing.T) {
	for name, spoil := range map[string]func(db *DB, path string) error{
		"of another TES": func(_ *DB, path string) error {
			return os.WriteFile(path+journalSuffix, journalStart(tesID+1), 0o600)
		},
		"empty": func(_ *DB, path string) error { return os.WriteFile(path+journalSuffix, nil, 0o600) },
		"text": func(_ *DB, path string) error {
			return os.WriteFile(path+journalSuffix, []byte("nves:\n- id: 1\n"), 0o600)
		},
		"the file is not there": func(_ *DB, path string) error {
			return os.Remove(path)
		},
		"a VM in a VN without number": func(db *DB, path string) error {
			v := full(1)
			v.Standing[0].VN = "red"
			return db.Put(v)
		},
		"the file is an older one": func(db *DB, path string) error {
			old, err := os.ReadFile(path)
			err = errors.Join(err, db.SetRebuilt(1), db.apply(), db.SetRebuilt(2))
			return errors.Join(err, os.WriteFile(path+".old", old, 0o600), os.Rename(path+".old", path))
		},
	} {
		path := filepath.Join(t.TempDir(), "tesd.db")
		db := open(t, path)
		fillVMs(t, db, 1)
		hold(db)
		if err := spoil(db, path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			path = crash(t, path)
		}
		var corrupt *CorruptError
		if _, err := Open(path, tesID); !errors.As(err, &corrupt) {
			t.Errorf("%s: got %v, want a CorruptError", name, err)
		}
	}
}

// bbolt follows by itself, also after others have written for long.
func TestBboltFollows(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tesd.db"))
	deadline := time.Now().Add(time.Minute)
	for n := uint32(1); applied(t, db) == 0; n++ { // never quiet
		if err := db.SetRebuilt(evpn.RouterID(n)); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("bbolt never followed")
		}
	}
	for range time.Tick(10 * time.Millisecond) {
		db.mu.Lock()
		last, end := db.journal.last, db.journal.end
		db.mu.Unlock()
		if applied(t, db) == last && end == journalHeader {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("record %d of %d after a minute", applied(t, db), last)
		}
	}
}

// Many write at once while bbolt follows, behind them or with them waiting.
func TestConcurrentWriters(t *testing.T) {
	for _, enough := range []int64{journalHeader, 1 << 30} {
		path := filepath.Join(t.TempDir(), "tesd.db")
		db := open(t, path)
		db.mu.Lock()
		db.enough = enough
		db.mu.Unlock()
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				for n := range 20 {
					v := full(byte(20*i + n))
					_, err1 := db.Number("blue")
					_, err2 := db.Number("name d'été")
					if err := errors.Join(err1, err2, db.Put(v)); err != nil {
						t.Error(err)
					}
					if n%7 == 0 {
						if err := db.apply(); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		writers.Wait()
		if im := reread(t, crash(t, path)); len(im.VMs) != 80 {
			t.Errorf("%d VMs of 80", len(im.VMs))
		}
		db.Close()
		if err := db.Put(full(1)); err == nil {
			t.Error("written to a closed file")
		}
	}
}

// On a full disk the file is read with all that its journal holds; bbolt has it once there is space.
func TestFullDiskOfTheJournal(t *testing.T) {
	dir := smallDisk(t, "1m")
	path := filepath.Join(dir, "tesd.db")
	db := open(t, path)
	fillVMs(t, db, 1)
	hold(db)
	ballast := fillDisk(t, dir)
	var err error
	n := 1
	for ; err == nil; n++ {
		if err = db.Put(full(byte(n + 1))); n == 250 {
			t.Fatal("the disk is never full")
		}
	}
	n-- // the last failed
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Fatalf("after %d VMs: %v, want ENOSPC", n, err)
	}
	if err := db.apply(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("bbolt on a full disk: %v, want ENOSPC", err)
	}
	db.Close()
	db = open(t, path)
	if im := db.Load(); len(im.VMs) != n {
		t.Errorf("%d VMs of %d are there", len(im.VMs), n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put(full(byte(n+1))), db.apply(), db.Close(), os.Remove(path+journalSuffix)); err != nil {
		t.Fatal(err)
	}
	if im := reread(t, path); len(im.VMs) != n+1 {
		t.Errorf("%d VMs of %d in bbolt's file", len(im.VMs), n+1)
	}
}
