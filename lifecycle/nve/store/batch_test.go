package store

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// Of a name that is put again and again the newest value is written, and a batch that nobody writes does not grow with how often that was.
func TestBatchKeepsTheNewest(t *testing.T) {
	const names, rounds = 3000, 20
	var b batch
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)*2654435761) }
	for round := range rounds {
		for i := range names {
			var value []byte
			if i%3 != 0 || round < rounds-1 {
				value = []byte{byte(i), byte(round)}
			}
			b.put(holdingBucket, key(i), value)
		}
	}
	if n := len(b.entries); n > 2*max(names, crowd) {
		t.Errorf("%d entries of %d names", n, names)
	}
	var newer batch
	newer.put(holdingBucket, key(1), []byte("newer"))
	newer.put(tesBucket, key(1), []byte{})
	b.add(&newer)

	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(makeBuckets); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(b.write); err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for i := range names {
			want := string([]byte{byte(i), rounds - 1})
			switch {
			case i == 1:
				want = "newer"
			case i%3 == 0:
				want = ""
			}
			if got := string(bucketOf(tx, holdingBucket).Get(key(i))); got != want {
				t.Errorf("name %d has %q, want %q", i, got, want)
			}
		}
		if v := bucketOf(tx, tesBucket).Get(key(1)); v == nil || len(v) > 0 {
			t.Errorf("a value of no octets is %q", v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
