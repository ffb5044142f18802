//go:build !race

package store

// Without the race detector: it has pointers checked and shadows all that is read, which a program that is made for use does not. bbolt reads where it must not in
// a damaged file, and gigabytes of it; that is an error in the one and the end of the other. `make test` runs these by themselves.

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whatever octets rot: either all VMs are there, or the file is refused.
func TestOctetsThatRot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tesd.db")
	db := open(t, path)
	fillVMs(t, db, 100)
	db.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 9))
	refused := 0
	for i := range 200 {
		rotten := bytes.Clone(whole)
		at := random.IntN(len(rotten))
		rotten[at] ^= byte(1 + random.IntN(255))
		if checkDamaged(t, fmt.Sprintf("case %d, octet %d", i, at), rotten, 100) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no rotten file was refused")
	}
}
