package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tns-project/tns/evpn"
)

// format is the version of the file's layout.
const format = 1

// lockTime is how long Open waits for another process to let go of the file.
const lockTime = 3 * time.Second

// maxNumber is the highest number of a VN's route distinguisher: 0 is the beacon's, 65535 that of dry runs (SPEC §1).
const maxNumber = 65534

var (
	metaBucket     = []byte("meta")
	vmBucket       = []byte("vms")
	sequenceBucket = []byte("sequences")
	numberBucket   = []byte("numbers")
	rebuiltBucket  = []byte("rebuilt")

	formatKey = []byte("format")
	tesKey    = []byte("tes")
	countKey  = []byte("vms")

	appliedKey = []byte("journal")
)

// Image is all that the file and its journal hold.
type Image struct {
	VMs       []VM // by VMID
	Sequences map[evpn.VMID]uint32
	Numbers   map[string]uint16
	Rebuilt   map[evpn.RouterID]bool
}

// CorruptError says that a file, or its journal, is there but is not, or not wholly, what this package wrote.
type CorruptError struct {
	Path string
	Err  error
}

func (e *CorruptError) Error() string {
	which, both := "it", "it"
	if file, ok := strings.CutSuffix(e.Path, journalSuffix); ok {
		which, both = "it and of "+file, "both"
	}
	return fmt.Sprintf("state file %s cannot be read: %v; it is left as it is: restore a copy of %s, or move %s away, then the VMs are read from the NVE's standing responses (without their policies)", e.Path, e.Err, which, both)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// ErrLocked is returned when another process has the file.
var ErrLocked = errors.New("held by another process")

// DB is the open file. It is safe for concurrent use.
type DB struct {
	path  string
	bolt  *bolt.DB
	image Image

	applying sync.Mutex // held by who brings bbolt up to date; taken before mu

	mu      sync.Mutex // of all below
	journal journal
	pending batch             // what bbolt has not yet
	numbers map[string]uint16 // of all VNs
	closed  bool
	enough  int64 // size of the journal at which its writers wait
	timer   *time.Timer
	armed   bool      // the timer runs
	first   time.Time // when what waits began to
	newest  time.Time // when the last was written
}

// Open opens the TES's file, or makes it when there is none, and reads all of it. Errors: *CorruptError, ErrLocked, and what the file
// system says.
func Open(path string, tes evpn.RouterID) (*DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(path + journalSuffix); err == nil {
			return nil, &CorruptError{Path: path + journalSuffix, Err: errors.New("its state file is not there")}
		}
		if err := create(path, tes); err != nil {
			return nil, fmt.Errorf("make state file %s: %w", path, err)
		}
	case err != nil:
		return nil, fmt.Errorf("open state file: %w", err)
	case info.Size() == 0:
		return nil, &CorruptError{Path: path, Err: errors.New("it is empty")}
	}
	// Read-only first, and all of it: bbolt's own check, in a goroutine of its own, must not meet a page that cannot be read.
	proof, err := openDB(path, tes, true)
	if err != nil {
		return nil, err
	}
	if err := proof.bolt.Close(); err != nil {
		return nil, fmt.Errorf("close state file %s: %w", path, err)
	}
	db, err := openDB(path, tes, false)
	if err != nil {
		return nil, err
	}
	if err := db.bolt.View(checkPages); err != nil {
		db.bolt.Close()
		return nil, &CorruptError{Path: path, Err: err}
	}
	if err := db.journal.open(); err != nil {
		db.bolt.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db.start()
	return db, nil
}

// openDB opens a file that is there and reads it.
func openDB(path string, tes evpn.RouterID, readOnly bool) (*DB, error) {
	b, err := openBolt(path, readOnly)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open state file %s: %w (waited %v): is another tesd running with it?", path, ErrLocked, lockTime)
	case isSystem(err):
		return nil, fmt.Errorf("open state file %s: %w", path, err)
	case err != nil:
		return nil, &CorruptError{Path: path, Err: err}
	}
	db := &DB{path: path, bolt: b}
	if err := db.read(tes); err != nil {
		b.Close()
		return nil, err
	}
	return db, nil
}

// create makes an empty file under another name first, so that a file under its own name is always whole.
func create(path string, tes evpn.RouterID) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fill(fresh, tes); err != nil {
		os.Remove(fresh)
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func fill(path string, tes evpn.RouterID) error {
	b, err := openBolt(path, false)
	if err != nil {
		return err
	}
	err = b.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{metaBucket, vmBucket, sequenceBucket, numberBucket, rebuiltBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		return errors.Join(
			meta.Put(formatKey, []byte{format}),
			meta.Put(tesKey, octets(uint32(tes))),
			meta.Put(countKey, octets(0)),
		)
	})
	return errors.Join(err, b.Close())
}

// syncFile has a file, or a directory, on stable storage.
func syncFile(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openBolt opens a bbolt file. A damaged one makes bbolt panic, or touch memory behind the end of the file: both become errors. The list of
// free pages is kept in the file: without it bbolt looks for them when it opens, and panics where nobody can recover.
func openBolt(path string, readOnly bool) (b *bolt.DB, err error) {
	err = guarded(func() error {
		b, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTime, ReadOnly: readOnly})
		return err
	})
	return b, err
}

// guarded runs f and returns as an error what a damaged file makes it panic with.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the pages do not fit together: %v", r)
		}
	}()
	return f()
}

// isSystem tells an error of the operating system from one about the file's content.
func isSystem(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

// read loads the image and checks it against all that the file says about itself.
func (db *DB) read(tes evpn.RouterID) error {
	var owner evpn.RouterID
	var applied uint64
	err := guarded(func() error {
		return db.bolt.View(func(tx *bolt.Tx) (err error) {
			if err := checkSize(tx, db.path); err != nil {
				return err
			}
			if db.image, owner, err = readImage(tx); err != nil {
				return err
			}
			if applied, err = readApplied(tx.Bucket(metaBucket)); err != nil {
				return err
			}
			return lookUpAll(tx)
		})
	})
	if err != nil {
		return &CorruptError{Path: db.path, Err: err}
	}
	if owner != tes {
		return fmt.Errorf("state file %s belongs to TES-ID %v, the configuration says %v: use another file, or that TES-ID", db.path, owner, tes)
	}
	if err := db.readJournal(tes, applied); err != nil {
		return err
	}
	if err := db.image.check(); err != nil {
		return &CorruptError{Path: db.path, Err: err}
	}
	return nil
}

// readJournal puts what the journal holds, and bbolt does not yet, on top of the image. Nothing is written: that works on a full disk, too.
func (db *DB) readJournal(tes evpn.RouterID, applied uint64) error {
	j, entries, err := readJournal(db.path+journalSuffix, tes, applied)
	if err != nil {
		return err
	}
	db.journal, db.pending = j, newBatch()
	for _, e := range entries {
		if err := db.pending.replay(e); err != nil {
			return &CorruptError{Path: j.path, Err: err}
		}
	}
	return db.pending.overlay(&db.image)
}

// checkSize finds a file that was cut off.
func checkSize(tx *bolt.Tx, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("it has %d octets of %d", info.Size(), tx.Size())
	}
	return nil
}

func readImage(tx *bolt.Tx) (Image, evpn.RouterID, error) {
	im := Image{Sequences: map[evpn.VMID]uint32{}, Numbers: map[string]uint16{}, Rebuilt: map[evpn.RouterID]bool{}}
	for _, name := range [][]byte{metaBucket, vmBucket, sequenceBucket, numberBucket, rebuiltBucket} {
		if tx.Bucket(name) == nil {
			return im, 0, fmt.Errorf("bucket %q is missing", name)
		}
	}
	meta := tx.Bucket(metaBucket)
	if v := meta.Get(formatKey); len(v) != 1 || v[0] != format {
		return im, 0, fmt.Errorf("format is %x, this program reads %02x", v, format)
	}
	owner, count := meta.Get(tesKey), meta.Get(countKey)
	if len(owner) != 4 || len(count) != 4 {
		return im, 0, fmt.Errorf("meta holds TES-ID %x and count %x, each has 4 octets", owner, count)
	}
	err := errors.Join(
		tx.Bucket(vmBucket).ForEach(func(k, b []byte) error {
			v, err := decode(k, b)
			if err != nil {
				return fmt.Errorf("VM %x: %w", k, err)
			}
			im.VMs = append(im.VMs, v)
			return nil
		}),
		tx.Bucket(sequenceBucket).ForEach(func(k, b []byte) error {
			if len(k) != 16 || len(b) != 4 {
				return fmt.Errorf("sequence %x of %x is malformed", b, k)
			}
			im.Sequences[evpn.VMID(k)] = binary.BigEndian.Uint32(b)
			return nil
		}),
		tx.Bucket(numberBucket).ForEach(func(k, b []byte) error {
			if len(b) != 2 {
				return fmt.Errorf("number %x of VN %q is malformed", b, k)
			}
			im.Numbers[string(k)] = binary.BigEndian.Uint16(b)
			return nil
		}),
		tx.Bucket(rebuiltBucket).ForEach(func(k, _ []byte) error {
			if len(k) != 4 {
				return fmt.Errorf("NVE-ID %x is malformed", k)
			}
			im.Rebuilt[evpn.RouterID(binary.BigEndian.Uint32(k))] = true
			return nil
		}),
	)
	if err != nil {
		return im, 0, err
	}
	if n := binary.BigEndian.Uint32(count); int(n) != len(im.VMs) {
		return im, 0, fmt.Errorf("it holds %d VMs of %d", len(im.VMs), n)
	}
	return im, evpn.RouterID(binary.BigEndian.Uint32(owner)), nil
}

// check finds VMs, sequences and numbers that contradict each other.
func (im *Image) check() error {
	for _, v := range im.VMs {
		if last, ok := im.Sequences[v.ID]; !ok || last != v.Request.Sequence {
			return fmt.Errorf("VM %v has sequence %d, the memory of sequences says %d", v.ID, v.Request.Sequence, last)
		}
		for _, r := range v.Standing {
			if im.Numbers[r.VN] == 0 {
				return fmt.Errorf("VM %v is in VN %q, which has no number", v.ID, r.VN)
			}
		}
	}
	return nil
}

// Load is what the file held when it was opened.
func (db *DB) Load() Image { return db.image }

// Put writes the VM and its sequence.
func (db *DB) Put(v VM) error {
	b := encode(v)
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.add(entryPut, v.ID[:], b); err != nil {
		return fmt.Errorf("store VM %v in %s: %w", v.ID, db.path, err)
	}
	db.pending.vms[v.ID], db.pending.sequences[v.ID] = b, v.Request.Sequence
	return nil
}

// Forget removes the VM; the memory of its sequence stays.
func (db *DB) Forget(id evpn.VMID) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.add(entryForget, id[:]); err != nil {
		return fmt.Errorf("forget VM %v in %s: %w", id, db.path, err)
	}
	db.pending.vms[id] = nil
	return nil
}

// Number is the number of the VN's route distinguisher, allocated the first time that it is asked for.
func (db *DB) Number(vn string) (uint16, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if n := db.numbers[vn]; n != 0 {
		return n, nil
	}
	n, err := db.freeNumber()
	if err == nil {
		err = db.add(entryNumber, binary.BigEndian.AppendUint16(nil, n), []byte(vn))
	}
	if err != nil {
		return 0, fmt.Errorf("number VN %q in %s: %w", vn, db.path, err)
	}
	db.numbers[vn], db.pending.numbers[vn] = n, n
	return n, nil
}

// freeNumber is the lowest number that no VN has.
func (db *DB) freeNumber() (uint16, error) {
	taken := map[uint16]bool{}
	for _, n := range db.numbers {
		taken[n] = true
	}
	for n := uint16(1); n <= maxNumber; n++ {
		if !taken[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("all %d numbers are taken", maxNumber)
}

// SetRebuilt notes that there is nothing (more) to be read from that NVE's standing responses.
func (db *DB) SetRebuilt(nve evpn.RouterID) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.add(entryRebuilt, octets(uint32(nve))); err != nil {
		return fmt.Errorf("note NVE %v in %s: %w", nve, db.path, err)
	}
	db.pending.rebuilt[nve] = true
	return nil
}

// addCount changes the number of VMs that the file says it holds.
func addCount(tx *bolt.Tx, by int) error {
	meta := tx.Bucket(metaBucket)
	return meta.Put(countKey, octets(uint32(int(binary.BigEndian.Uint32(meta.Get(countKey)))+by)))
}

func octets(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
