package store_test

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/nve/store"
	"github.com/tns-project/tns/lifecycle/tag"
)

var (
	vm   = evpn.VMID{0: 0xaa, 15: 1}
	tes  = evpn.RouterID(0xc633640b)
	mac  = evpn.MAC{0: 2, 5: 1}
	gone = time.Unix(1790000000, 0)
	some = nve.Mobility{Seen: 7, Other: true, Gone: gone, Own: 6}
	ours = nve.Mobility{Seen: 3, Own: 3, Active: true}

	key        = nve.VMKey{VM: vm, TES: tes}
	macAlone   = nve.BindingKey{VNI: 10100, Name: evpn.HashVNName("blue"), MAC: mac}
	withIPv4   = nve.BindingKey{VNI: 10100, Name: evpn.HashVNName("blue"), MAC: mac, IP: netip.MustParseAddr("10.0.0.1")}
	withIPv6   = nve.BindingKey{VNI: 10200, MAC: mac, IP: netip.MustParseAddr("2001:db8::1")}
	holding    = nve.Holding{{StationKey: nve.StationKey{VNI: 10100, MAC: mac}}, {StationKey: nve.StationKey{VNI: 1<<24 - 1, MAC: mac}, Value: evpn.Policy{Type: 0xabcdef, Version: 255}}}
	onSegment  = tag.Key{Segment: "trunk1", VNI: 10100}
	elsewhere  = tag.Key{Segment: "s", VNI: 1<<24 - 1}
	changing   = tag.Tag{VID: 200, Old: 100, Sent: 100, Until: gone.Add(7), Second: true, Next: 4094}
	steady     = tag.Tag{VID: 1, Sent: 1}
	told       = nve.Told{LocalTag: evpn.LocalTag{Type: evpn.TagDot1Q, PCP: 7, VID: 4094, Change: 255}, Changed: gone, Answer: nve.TagFailed}
	untagged   = nve.Told{}
	accepted   = nve.Acceptance{Credential: evpn.Credential{KeyID: 7, Tag: [16]byte{1, 15: 2}}, Expiry: 1790000000}
	acceptedAs = nve.Acceptance{Policy: evpn.Policy{Type: 0xabcdef, Version: 255}, Credential: evpn.Credential{KeyID: 65535}, Expiry: 1<<32 - 1}
)

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// open opens the file and runs the store until stop is called.
func open(t *testing.T, path string) (s *store.Store, aside string, stop func()) {
	t.Helper()
	s, aside, err := store.Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, aside, stop
}

// fill puts one value of each kind.
func fill(s *store.Store) {
	s.PutNumber(10100, 3)
	s.PutTES(tes)
	s.PutSequence(vm, tes, 42)
	s.PutMobility(10100, mac, some)
	s.PutMobility(10200, mac, ours)
	s.PutAcceptance(key, macAlone, accepted)
	s.PutAcceptance(key, withIPv4, acceptedAs)
	s.PutAcceptance(key, withIPv6, accepted)
	s.PutHolding(key, holding)
	s.PutTag(onSegment, &changing)
	s.PutTag(elsewhere, &steady)
	s.PutTold(key, nve.StationKey{VNI: 10100, MAC: mac}, &told)
	s.PutTold(key, nve.StationKey{VNI: 10200, MAC: mac}, &untagged)
	s.PutDraining(10100, true)
}

func load(t *testing.T, s *store.Store) nve.Memory {
	t.Helper()
	m, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func isFull(t *testing.T, m nve.Memory) {
	t.Helper()
	if len(m.Numbers) != 1 || m.Numbers[10100] != 3 {
		t.Errorf("numbers %v", m.Numbers)
	}
	if _, ok := m.TESs[tes]; !ok || len(m.TESs) != 1 {
		t.Errorf("TESs %v", m.TESs)
	}
	if len(m.Sequences) != 1 || m.Sequences[nve.VMKey{VM: vm, TES: tes}] != 42 {
		t.Errorf("sequences %v", m.Sequences)
	}
	a, b := m.Mobility[nve.StationKey{VNI: 10100, MAC: mac}], m.Mobility[nve.StationKey{VNI: 10200, MAC: mac}]
	if len(m.Mobility) != 2 || a != some || b != ours {
		t.Errorf("mobility %v, want %v and %v", m.Mobility, some, ours)
	}
	all := m.Acceptances[key]
	if len(m.Acceptances) != 1 || len(all) != 3 || all[macAlone] != accepted || all[withIPv4] != acceptedAs || all[withIPv6] != accepted {
		t.Errorf("acceptances %v", m.Acceptances)
	}
	if len(m.Holdings) != 1 || !slices.Equal(m.Holdings[key], holding) {
		t.Errorf("holdings %v", m.Holdings)
	}
	if len(m.Tags) != 2 || m.Tags[onSegment] != changing || m.Tags[elsewhere] != steady {
		t.Errorf("tags %v", m.Tags)
	}
	if len(m.Told) != 1 || !slices.Equal(m.Told[key], nve.ByStation[nve.Told]{{StationKey: nve.StationKey{VNI: 10100, MAC: mac}, Value: told}, {StationKey: nve.StationKey{VNI: 10200, MAC: mac}, Value: untagged}}) {
		t.Errorf("told %v", m.Told)
	}
	if _, ok := m.Draining[10100]; !ok || len(m.Draining) != 1 {
		t.Errorf("draining %v", m.Draining)
	}
}

func isEmpty(t *testing.T, m nve.Memory) {
	t.Helper()
	if len(m.Numbers)+len(m.TESs)+len(m.Sequences)+len(m.Mobility)+len(m.Acceptances)+len(m.Holdings)+len(m.Tags)+len(m.Told)+len(m.Draining) > 0 {
		t.Errorf("left over: %+v", m)
	}
}

func TestWhatIsPutIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down", "nved.db")
	s, aside, stop := open(t, path)
	if aside != "" {
		t.Errorf("a new file put %s aside", aside)
	}
	isEmpty(t, load(t, s))
	fill(s)
	stop()
	s, _, stop = open(t, path)
	isFull(t, load(t, s))
	s.DropTES(tes)
	s.DropSequence(vm, tes)
	s.DropMobility(10100, mac)
	s.DropMobility(10200, mac)
	for _, b := range []nve.BindingKey{macAlone, withIPv4, withIPv6} {
		s.DropAcceptance(key, b)
	}
	s.PutHolding(key, nil)
	s.PutTag(onSegment, nil)
	s.PutTag(elsewhere, nil)
	s.PutTold(key, nve.StationKey{VNI: 10100, MAC: mac}, nil)
	s.PutTold(key, nve.StationKey{VNI: 10200, MAC: mac}, nil)
	s.PutDraining(10100, false)
	stop()
	s, _, _ = open(t, path)
	m := load(t, s)
	delete(m.Numbers, 10100)
	isEmpty(t, m)
}

// TestDamagedFileIsPutAside damages a good file; Open must not fail, must name what it put aside, and goes on with an empty one.
func TestDamagedFileIsPutAside(t *testing.T) {
	good := func(t *testing.T) (path string, octets []byte) {
		path = filepath.Join(t.TempDir(), "nved.db")
		s, _, stop := open(t, path)
		fill(s)
		stop()
		octets, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, octets
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"garbage":                   func(b []byte) []byte { return []byte(strings.Repeat("not a database. ", 1024)) },
		"a few octets":              func([]byte) []byte { return []byte("x") },
		"zeros":                     func(b []byte) []byte { return make([]byte, len(b)) },
		"truncated in a meta page":  func(b []byte) []byte { return b[:4100] },
		"truncated after the metas": func(b []byte) []byte { return b[:8192] },
		"both metas flipped":        func(b []byte) []byte { b[20] ^= 0xff; b[4096+20] ^= 0xff; return b },
		"another version":           func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "version1", "version9")) },
	} {
		t.Run(name, func(t *testing.T) {
			path, octets := good(t)
			broken := damage(octets)
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			s, aside, stop := open(t, path)
			if aside == "" {
				t.Fatal("nothing was put aside")
			}
			if kept, err := os.ReadFile(aside); err != nil || string(kept) != string(broken) {
				t.Errorf("%s is not what was there: %v", aside, err)
			}
			isEmpty(t, load(t, s))
			fill(s)
			stop()
			s, aside, _ = open(t, path)
			if aside != "" {
				t.Errorf("the new file was put aside too: %s", aside)
			}
			isFull(t, load(t, s))
		})
	}
}

func TestEntriesThatMakeNoSenseAreLeftOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nved.db")
	s, _, stop := open(t, path)
	fill(s)
	stop()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"number", "tes", "sequence", "mobility", "acceptance"} {
			b := tx.Bucket([]byte(bucket))
			if err := b.Put([]byte("odd"), []byte("odd")); err != nil {
				return err
			}
		}
		b := tx.Bucket([]byte("acceptance"))
		for _, length := range []int{41, 43, 45, 47, 57, 59} { // octets of a key: none of an IP
			if err := b.Put(make([]byte, length), make([]byte, 26)); err != nil {
				return err
			}
		}
		if err := b.Put(make([]byte, 42), make([]byte, 27)); err != nil {
			return err
		}
		return tx.Bucket([]byte("sequence")).Put(make([]byte, 20), []byte{1})
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	s, aside, _ := open(t, path)
	if aside != "" {
		t.Errorf("put aside: %s", aside)
	}
	isFull(t, load(t, s))
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nved.db")
	_, _, _ = open(t, path)
	_, aside, err := store.Open(path, quiet())
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("got %v", err)
	}
	if aside != "" {
		t.Errorf("a file in use was put aside: %s", aside)
	}
}

func TestUnusablePathIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(filepath.Join(file, "nved.db"), quiet()); err == nil || !strings.Contains(err.Error(), "nved.db") {
		t.Errorf("got %v", err)
	}
}

// TestWritesAreGathered puts often and fast; what is on disk in the end is the newest.
func TestWritesAreGathered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nved.db")
	s, _, stop := open(t, path)
	for n := range uint32(100000) {
		s.PutSequence(vm, tes, n+1)
	}
	stop()
	s, _, _ = open(t, path)
	if got := load(t, s).Sequences[nve.VMKey{VM: vm, TES: tes}]; got != 100000 {
		t.Errorf("got %d", got)
	}
}

// TestTransactionsAreFew puts without a pause: there is a transaction each 10 ms at most, not one for each entry or two.
func TestTransactionsAreFew(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "nved") // in memory: a disk may be slower than the pause
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nved.db")
	s, _, stop := open(t, path)
	began, n := time.Now(), uint32(0)
	for time.Since(began) < 300*time.Millisecond {
		n++
		s.PutSequence(vm, tes, n)
	}
	stop()
	most := int(time.Since(began)/(10*time.Millisecond)) + 5 // of making the file, the first and the last
	db, err := bbolt.Open(path, 0o640, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.ID() > most {
			t.Errorf("%d transactions for %d entries, at most %d are due", tx.ID(), n, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk fills a small file system: the store says that it fails, keeps what it could not write, and writes it when there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	path := filepath.Join(dir, "nved.db")
	s, _, stop := open(t, path)
	fill(s)
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	for n := range uint32(4000) {
		s.PutSequence(evpn.VMID{14: byte(n >> 8), 15: byte(n)}, tes, 42)
	}
	waitFor(t, s.Failing)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return !s.Failing() })
	stop()
	s, aside, stop := open(t, path)
	defer stop()
	if aside != "" {
		t.Errorf("put aside: %s", aside)
	}
	if got := len(load(t, s).Sequences); got < 4000 {
		t.Errorf("%d of 4000 sequences are there", got)
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not come about")
		}
	}
}

// What a hook has not got yet is there after a restart, in its order, and what it has got is not.
func TestNotices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nved.db")
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	open := func() (*store.Store, func()) {
		s, _, err := store.Open(path, logrus.NewEntry(quiet))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		return s, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	s, stop := open()
	for n := range uint64(300) {
		s.PutNotice("https://a/", n, []byte{byte(n)})
	}
	s.PutNotice("https://b/", 1, []byte("b"))
	s.DropNotice("https://a/", 7)
	s.DropNotice("https://a/", 1000)
	stop()
	s, stop = open()
	defer stop()
	all, err := s.Notices()
	if err != nil {
		t.Fatal(err)
	}
	if a, b := all["https://a/"], all["https://b/"]; len(all) != 2 || len(a) != 299 || a[7] != nil || string(a[256]) != "\x00" || len(b) != 1 || string(b[1]) != "b" {
		t.Errorf("%d of a, %d of b, %d hooks", len(a), len(b), len(all))
	}
}
