//go:build !race

package store_test

// Without the race detector: it has pointers checked and shadows all that is read, which a program that is made for use does not. bbolt reads where it must not in
// a damaged file, and gigabytes of it; that is an error in the one and the end of the other. `make test` runs these by themselves.

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tns-project/tns/lifecycle/nve/store"
)

// TestAnyFlippedOctetIsSurvived flips one octet at a time: whatever it hits, the store opens (with what was there, less, or nothing) and can be written.
func TestAnyFlippedOctetIsSurvived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nved.db")
	s, _, stop := open(t, path)
	fill(s)
	stop()
	octets, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(octets); at += 97 {
		broken := append([]byte(nil), octets...)
		broken[at] ^= 0xff
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		s, aside, err := store.Open(path, quiet())
		if err != nil {
			t.Fatalf("octet %d: %v", at, err)
		}
		if _, err := s.Load(); err != nil {
			t.Errorf("octet %d: %v", at, err)
		}
		s.PutNumber(1, 1)
		ended, end := context.WithCancel(context.Background())
		end()
		if err := s.Run(ended); err != nil {
			t.Errorf("octet %d: %v", at, err)
		}
		if s.Failing() {
			t.Errorf("octet %d: it cannot be written", at)
		}
		if aside != "" {
			os.Remove(aside)
		}
	}
}
