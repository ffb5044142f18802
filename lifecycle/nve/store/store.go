package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/tag"
)

// The buckets, by their number.
const (
	metaBucket uint8 = iota
	numberBucket
	tesBucket
	sequenceBucket
	mobilityBucket
	acceptanceBucket
	holdingBucket
	drainingBucket
	tagBucket
	toldBucket
	noticeBucket
)

var buckets = []string{
	metaBucket: "meta", numberBucket: "number", tesBucket: "tes", sequenceBucket: "sequence", mobilityBucket: "mobility", acceptanceBucket: "acceptance",
	holdingBucket: "holding", drainingBucket: "draining", tagBucket: "tag", toldBucket: "told", noticeBucket: "notice",
}

func bucketOf(tx *bbolt.Tx, number uint8) *bbolt.Bucket { return tx.Bucket([]byte(buckets[number])) }

const version = "1"

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = 3 * time.Second

// retryPause is how long a refused write waits for its next try.
const retryPause = time.Second

// mapped is how much of the address space the file has from the beginning, in octets: when a transaction makes the file outgrow it, bbolt copies everything that the transaction has
// touched, piece by piece.
const mapped = 128 << 20

// growth is by how much the file grows then, in octets. bbolt's own is 16 MiB where so much is mapped.
const growth = 64 << 10

// A transaction begins gatherTime after the first that is in it, which is on its way by then; after one that took long, gatherShare times as long after that
// one, so that the disk has a share of the time only, but not more than gatherMost. The names of VMs are in no order, so each transaction of a flood touches nearly
// every page that the file has: half as many transactions are half the work.
const (
	gatherTime  = 10 * time.Millisecond
	gatherShare = 9
	gatherMost  = time.Second
)

// Store is an open file. Its Put methods do not block and are safe for concurrent use; Run writes.
type Store struct {
	path string
	db   *bbolt.DB
	log  *logrus.Entry

	mu      sync.Mutex
	pending batch
	spare   batch // empty
	failing bool
	wake    chan struct{}
}

var _ nve.Store = (*Store)(nil)

// Open opens or makes the file. One that cannot be read is put aside as PATH.corrupt-TIME; aside then names it.
func Open(path string, log *logrus.Entry) (s *Store, aside string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, "", fmt.Errorf("state %s: %w", path, err)
	}
	db, err := open(path)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, "", fmt.Errorf("state %s: another process has it open; is nved running already?", path)
	}
	if err != nil && damaged(err) {
		aside = fmt.Sprintf("%s.corrupt-%d", path, time.Now().Unix())
		if err := os.Rename(path, aside); err != nil {
			return nil, "", fmt.Errorf("state %s is damaged and cannot be put aside: %w", path, err)
		}
		db, err = open(path)
	}
	if err != nil {
		return nil, aside, fmt.Errorf("state %s: %w", path, err)
	}
	return &Store{path: path, db: db, log: log, wake: make(chan struct{}, 1)}, aside, nil
}

// damage is what a file says that is no database of ours.
type damage struct{ error }

func damaged(err error) bool {
	var d damage
	return errors.As(err, &d) || errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch)
}

// open opens the file, checks that its pages fit together, and makes the buckets.
func open(path string) (*bbolt.DB, error) {
	if fi, err := os.Stat(path); err == nil && fi.Size() > 0 && fi.Size() < int64(2*os.Getpagesize()) {
		return nil, damage{fmt.Errorf("%d octets are too few for a database", fi.Size())}
	}
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o640, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapped})
		if err == nil {
			db.AllocSize = growth
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = guarded(func() error { return db.View(func(tx *bbolt.Tx) error { return check(tx, path) }) })
	if err == nil {
		err = guarded(func() error { return db.Update(makeBuckets) })
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// guarded runs f on a file that may be damaged: bbolt panics on pages that make no sense, and the kernel sends a signal for those that are not there.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damage{fmt.Errorf("the pages do not fit together: %v", r)}
		}
	}()
	return f()
}

// check reads everything there is. (bbolt's own check panics in a goroutine of its own, where nobody can recover.)
func check(tx *bbolt.Tx, path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if fi.Size() < tx.Size() {
		return damage{fmt.Errorf("%d octets of %d are there", fi.Size(), tx.Size())}
	}
	err = tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
	if err != nil {
		return damage{err}
	}
	meta := bucketOf(tx, metaBucket)
	if meta == nil {
		return nil // new
	}
	if v := string(meta.Get([]byte("version"))); v != version {
		return damage{fmt.Errorf("version %q, want %q", v, version)}
	}
	return nil
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return bucketOf(tx, metaBucket).Put([]byte("version"), []byte(version))
}

// Run writes until ctx ends, then once more, and closes the file. What comes gathers for a while: a transaction costs the same for an entry and for hundreds,
// and whoever waits for what an entry is about does not wait for the disk.
func (s *Store) Run(ctx context.Context) error {
	for next := time.Now(); ; {
		select {
		case <-ctx.Done():
			s.flush()
			return s.db.Close()
		case <-s.wake:
		}
		select {
		case <-ctx.Done():
			continue
		case <-time.After(max(gatherTime, time.Until(next))):
		}
		began := time.Now()
		done := s.flush()
		pause := min(gatherShare*time.Since(began), gatherMost)
		if !done {
			pause = retryPause
			s.signal()
		}
		next = time.Now().Add(pause)
	}
}

// put leaves one value to Run, nil for one to delete; the newest of a name is written.
func (s *Store) put(bucket uint8, key, value []byte) {
	s.mu.Lock()
	s.pending.put(bucket, key, value)
	s.mu.Unlock()
	s.signal()
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// flush writes what gathered, in one transaction; what the disk refuses is kept, unless it is newer by then.
func (s *Store) flush() (done bool) {
	s.mu.Lock()
	todo := s.pending
	s.pending, s.spare = s.spare, batch{}
	s.mu.Unlock()
	if len(todo.entries) == 0 {
		return true
	}
	err := guarded(func() error { return s.db.Update(todo.write) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.spare = todo.empty()
		if s.failing {
			s.failing = false
			s.log.WithField("path", s.path).Info("state is written again")
		}
		return true
	}
	if !s.failing {
		s.failing = true
		s.log.WithField("path", s.path).WithError(err).Error("state cannot be written; a restart would know less")
	}
	todo.add(&s.pending)
	todo.settle()
	s.pending = todo
	return false
}

// Failing reports whether the last write was refused.
func (s *Store) Failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing
}

// PutNumber remembers a VN's RD number.
func (s *Store) PutNumber(v evpn.VNI, n uint16) { s.put(numberBucket, vniKey(v), be16(n)) }

// PutTES remembers that a TES was there.
func (s *Store) PutTES(id evpn.RouterID) { s.put(tesBucket, be32(uint32(id)), []byte{}) }

// DropTES forgets it.
func (s *Store) DropTES(id evpn.RouterID) { s.put(tesBucket, be32(uint32(id)), nil) }

// PutSequence remembers the highest sequence decided.
func (s *Store) PutSequence(vm evpn.VMID, tes evpn.RouterID, seq uint32) {
	s.put(sequenceBucket, vmKey(vm, tes), be32(seq))
}

// DropSequence forgets it.
func (s *Store) DropSequence(vm evpn.VMID, tes evpn.RouterID) {
	s.put(sequenceBucket, vmKey(vm, tes), nil)
}

// PutMobility remembers a (VN, MAC)'s sequences.
func (s *Store) PutMobility(v evpn.VNI, m evpn.MAC, mob nve.Mobility) {
	s.put(mobilityBucket, stationKey(v, m), encodeMobility(mob))
}

// DropMobility forgets them.
func (s *Store) DropMobility(v evpn.VNI, m evpn.MAC) {
	s.put(mobilityBucket, stationKey(v, m), nil)
}

// PutAcceptance remembers the credential that a binding was accepted with.
func (s *Store) PutAcceptance(k nve.VMKey, b nve.BindingKey, a nve.Acceptance) {
	s.put(acceptanceBucket, acceptanceKey(k, b), encodeAcceptance(a))
}

// DropAcceptance forgets it.
func (s *Store) DropAcceptance(k nve.VMKey, b nve.BindingKey) {
	s.put(acceptanceBucket, acceptanceKey(k, b), nil)
}

// PutHolding remembers what a VM at a TES holds of the edge; nothing is forgotten.
func (s *Store) PutHolding(k nve.VMKey, h nve.Holding) {
	s.put(holdingBucket, vmKey(k.VM, k.TES), encodeHolding(h))
}

// PutTag remembers the VIDs of a VN on a segment; nil is forgotten.
func (s *Store) PutTag(k tag.Key, t *tag.Tag) { s.put(tagBucket, encodeTagKey(k), encodeTag(t)) }

// PutTold remembers the local tag that a VM was told for a (VN, MAC); nil is forgotten.
func (s *Store) PutTold(k nve.VMKey, st nve.StationKey, t *nve.Told) {
	s.put(toldBucket, append(vmKey(k.VM, k.TES), stationKey(st.VNI, st.MAC)...), encodeTold(t))
}

// PutNotice remembers a notice that a hook has not got yet.
func (s *Store) PutNotice(hook string, number uint64, body []byte) {
	s.put(noticeBucket, noticeKey(hook, number), body)
}

// DropNotice forgets it.
func (s *Store) DropNotice(hook string, number uint64) {
	s.put(noticeBucket, noticeKey(hook, number), nil)
}

// PutDraining remembers that a VN takes nobody new, or that it does again.
func (s *Store) PutDraining(v evpn.VNI, on bool) {
	var value []byte
	if on {
		value = []byte{}
	}
	s.put(drainingBucket, vniKey(v), value)
}
