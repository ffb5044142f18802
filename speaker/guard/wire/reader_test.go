package wire

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestReaderIsParseUpdate reads all sorts of UPDATEs, again and again with the same Reader, which takes no memory for it.
func TestReaderIsParseUpdate(t *testing.T) {
	var r Reader
	random := rand.New(rand.NewPCG(9, 10))
	var all [][]byte
	for _, msg := range corpus() {
		all = append(all, msg, msg[:len(msg)-1])
	}
	for range 20 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, msg := range all {
			want, wantErr := ParseUpdate(msg)
			got, err := r.Update(msg)
			if (err == nil) != (wantErr == nil) || err == nil && fmt.Sprint(*got) != fmt.Sprint(*want) {
				t.Fatalf("%x: %+v, %v, want %+v, %v", msg, got, err, want, wantErr)
			}
		}
	}
	msg := macs(1, 1)[0]
	if n := testing.AllocsPerRun(1000, func() { _, _ = r.Update(msg) }); n != 0 {
		t.Errorf("%v allocations to read an UPDATE", n)
	}
}
