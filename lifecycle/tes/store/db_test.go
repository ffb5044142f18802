package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/tns-project/tns/evpn"
)

const tesID evpn.RouterID = 198<<24 | 51<<16 | 100<<8 | 11

func open(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path, tesID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func vmid(n byte) evpn.VMID { return evpn.VMID{0: 0x7b, 15: n} }

// full is a VM with every field set.
func full(n byte) VM {
	expiry := uint32(1_800_000_000)
	binding := Binding{
		VN: "blue", VNI: 10100, MAC: evpn.MAC{2, 5: n}, IP: netip.MustParseAddr("2001:db8::1"), Policy: &evpn.Policy{Type: 7, Version: 2, Format: 5},
		Credential: &evpn.Credential{KeyID: 9, Tag: [16]byte{1, 15: 2}}, Expiry: &expiry,
	}
	bare := Binding{VN: "name d'été", MAC: evpn.MAC{2, 5: n}}
	return VM{
		ID:      vmid(n),
		NVE:     tesID + 1,
		Wish:    Wish{Op: evpn.Suspend, Immigration: true, Bindings: []Binding{binding, bare}, Phase: Again, Anew: true},
		Request: Request{Op: evpn.Associate, Base: evpn.StateAssociated, Flags: evpn.FlagImmigration, Sequence: 0xfffffffe, Purpose: ForTruth},
		Standing: []Route{
			{Binding: binding, Op: evpn.Associate, Base: evpn.StateAssociated, Flags: evpn.FlagImmigration, Sequence: 0xfffffffe, Index: 1, Count: 1, Echo: &evpn.Echo{Change: 3, Failed: true}},
			{Binding: bare, Op: evpn.PreAssociate, Sequence: 0xfffffffd, Index: 2, Count: 2},
		},
		Acked:  Acked{State: evpn.StateAssociated, Op: evpn.Associate, Sequence: 0xfffffffd, Bindings: []Binding{bare}},
		Answer: Answer{Answered: true, Status: evpn.FailKept, Reason: evpn.TooBusy, State: evpn.StateAssociated, Lifetime: 300, Told: evpn.Quota},
		Tags:   []Tag{{VN: "blue", MAC: evpn.MAC{2, 5: 1}, Applied: true, LocalTag: evpn.LocalTag{Type: 1, PS: true, PCP: 5, VID: 100, Change: 255}, Echo: &evpn.Echo{Change: 255}}},
	}
}

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// fill writes VMs with all that belongs to them.
func fillVMs(t testing.TB, db *DB, n int) {
	t.Helper()
	for _, vn := range []string{"blue", "name d'été"} {
		if _, err := db.Number(vn); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if err := db.Put(full(byte(i + 1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.apply(); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	if im := db.Load(); len(im.VMs) != 0 || len(im.Sequences) != 0 || len(im.Rebuilt) != 0 {
		t.Errorf("a new file holds %+v", im)
	}
	fillVMs(t, db, 3)
	changed := full(2)
	changed.Request.Sequence++
	changed.Wish.Phase = Done
	if err := errors.Join(db.Put(changed), db.Forget(vmid(3)), db.Forget(vmid(3)), db.SetRebuilt(tesID+1), db.SetRebuilt(tesID+1)); err != nil {
		t.Fatal(err)
	}
	db.Close()

	im := open(t, path).Load()
	if diff := cmp.Diff([]VM{full(1), changed}, im.VMs, compareAddr); diff != "" {
		t.Errorf("VMs -want +got:\n%s", diff)
	}
	if want := map[evpn.VMID]uint32{vmid(1): 0xfffffffe, vmid(2): 0xffffffff, vmid(3): 0xfffffffe}; !maps.Equal(im.Sequences, want) {
		t.Errorf("sequences %v, want %v (that of a forgotten VM too)", im.Sequences, want)
	}
	if !im.Rebuilt[tesID+1] || len(im.Rebuilt) != 1 {
		t.Errorf("rebuilt %v", im.Rebuilt)
	}
}

func TestNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	for i, vn := range []string{"blue", "red", "blue", "green"} {
		want := []uint16{1, 2, 1, 3}[i]
		if n, err := db.Number(vn); err != nil || n != want {
			t.Errorf("VN %s: %d, %v; want %d", vn, n, err, want)
		}
	}
	db.Close()
	db = open(t, path)
	if n, err := db.Number("red"); err != nil || n != 2 || db.Load().Numbers["green"] != 3 {
		t.Errorf("after reopening: %d, %v, %v", n, err, db.Load().Numbers)
	}
}

func TestNumbersRunOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	err := db.bolt.Update(func(tx *bolt.Tx) error {
		for n := 1; n <= maxNumber; n++ {
			if err := tx.Bucket(numberBucket).Put(fmt.Appendf(nil, "vn%05d", n), []byte{byte(n >> 8), byte(n)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	db = open(t, path)
	if n, err := db.Number("one more"); err == nil || !strings.Contains(err.Error(), "all 65534 numbers are taken") {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestTheFileOfAnotherTES(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	open(t, path).Close()
	if _, err := Open(path, tesID+9); err == nil || !strings.Contains(err.Error(), "belongs to TES-ID 198.51.100.11") {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	if _, err := Open(path, tesID); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second one: %v, want ErrLocked", err)
	}
	db.Close()
	open(t, path)
}

func TestWhatIsNoFileOfOurs(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.db")
	b, err := bolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":             {},
		"text":              []byte("nves:\n"),
		"zeros":             make([]byte, 65536),
		"a database of ill": foreign,
	} {
		path := filepath.Join(t.TempDir(), "tesd.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, tesID)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "left as it is") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want a CorruptError that says what to do", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "no", "tesd.db"), tesID)
	var corrupt *CorruptError
	if err == nil || errors.As(err, &corrupt) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	fillVMs(t, db, 100)
	db.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1; size < len(whole); size += len(whole) / 40 {
		checkDamaged(t, fmt.Sprintf("%d of %d octets", size, len(whole)), whole[:size], 100)
	}
}

// checkDamaged opens a file with that content: refused as corrupt (true), or all VMs are there as they were.
func checkDamaged(t *testing.T, name string, content []byte, vms int) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tesd.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(path, tesID)
	if err != nil {
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) {
			t.Errorf("%s: %v is no CorruptError", name, err)
		}
		return true
	}
	changed := full(1)
	changed.Wish.Phase = Done
	for _, v := range []VM{changed, full(1)} { // what is written now must not overwrite what is there
		if err := db.Put(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	db.Close()
	db, err = Open(path, tesID)
	if err != nil {
		t.Errorf("%s: after writing: %v", name, err)
		return false
	}
	defer db.Close()
	im := db.Load()
	if len(im.VMs) != vms {
		t.Errorf("%s: %d VMs of %d", name, len(im.VMs), vms)
		return false
	}
	for i, v := range im.VMs {
		if diff := cmp.Diff(full(byte(i+1)), v, compareAddr); diff != "" {
			t.Errorf("%s: VM %d -want +got:\n%s", name, i, diff)
		}
	}
	return false
}

func TestRecordsThatContradict(t *testing.T) {
	for name, spoil := range map[string]func(*bolt.Tx) error{
		"a lost VM":          func(tx *bolt.Tx) error { id := vmid(1); return tx.Bucket(vmBucket).Delete(id[:]) },
		"a lost sequence":    func(tx *bolt.Tx) error { id := vmid(1); return tx.Bucket(sequenceBucket).Delete(id[:]) },
		"another sequence":   func(tx *bolt.Tx) error { id := vmid(1); return tx.Bucket(sequenceBucket).Put(id[:], octets(7)) },
		"a lost number":      func(tx *bolt.Tx) error { return tx.Bucket(numberBucket).Delete([]byte("blue")) },
		"a newer format":     func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte{2}) },
		"a lost bucket":      func(tx *bolt.Tx) error { return tx.DeleteBucket(sequenceBucket) },
		"a malformed number": func(tx *bolt.Tx) error { return tx.Bucket(numberBucket).Put([]byte("x"), []byte{1}) },
		"a malformed NVE-ID": func(tx *bolt.Tx) error { return tx.Bucket(rebuiltBucket).Put([]byte("x"), nil) },
		"a record under another VM's key": func(tx *bolt.Tx) error {
			id, other := vmid(1), vmid(2)
			return tx.Bucket(vmBucket).Put(other[:], tx.Bucket(vmBucket).Get(id[:]))
		},
		"a newer record": func(tx *bolt.Tx) error {
			id := vmid(1)
			b := bytes.Clone(tx.Bucket(vmBucket).Get(id[:]))
			b[0] = recordVersion + 1
			return tx.Bucket(vmBucket).Put(id[:], b)
		},
	} {
		path := filepath.Join(t.TempDir(), "tesd.db")
		db := open(t, path)
		fillVMs(t, db, 2)
		if err := db.bolt.Update(spoil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		db.Close()
		var corrupt *CorruptError
		if _, err := Open(path, tesID); !errors.As(err, &corrupt) {
			t.Errorf("%s: got %v, want a CorruptError", name, err)
		}
	}
}

// smallDisk is a directory of a file system of that size.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk has a file take every page that is free.
func fillDisk(t *testing.T, dir string) (ballast string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return f.Name()
}

// A full disk, of a small tmpfs: writing fails with a clear error, and all that was written before is still there.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "512k")
	path := filepath.Join(dir, "tesd.db")
	db := open(t, path)
	fillVMs(t, db, 1)
	var written []VM
	var failed error
	for i := range 100_000 {
		v := full(0)
		v.ID = evpn.VMID{0: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
		if failed = db.Put(v); failed != nil {
			break
		}
		written = append(written, v)
	}
	if !errors.Is(failed, syscall.ENOSPC) || !strings.Contains(failed.Error(), "store VM") || !strings.Contains(failed.Error(), path) {
		t.Fatalf("after %d VMs: %v, want ENOSPC that says what and where", len(written), failed)
	}
	db.Close()
	db = open(t, path)
	if im := db.Load(); len(im.VMs) != len(written)+1 {
		t.Errorf("%d VMs of %d are there", len(im.VMs), len(written)+1)
	}

	// and no new file is left half made
	other := filepath.Join(dir, "other.db")
	fillDisk(t, dir)
	if _, err := Open(other, tesID); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a new file on a full disk: %v, want ENOSPC", err)
	}
	for _, name := range []string{other, other + ".new"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range []VM{full(1), {ID: vmid(2), NVE: tesID}} {
		f.Add(v.ID[:], encode(v)[recordHeader:])
	}
	f.Fuzz(func(t *testing.T, key, body []byte) {
		b := append(make([]byte, recordHeader), body...)
		b[0] = recordVersion
		binary.BigEndian.PutUint32(b[1:], checksum(key, b))
		v, err := decode(key, b)
		if err != nil {
			return
		}
		back, err := decode(key, encode(v))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, back, compareAddr); diff != "" {
			t.Errorf("-read +read again:\n%s", diff)
		}
	})
}
