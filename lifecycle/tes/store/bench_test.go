package store

import (
	"path/filepath"
	"testing"
)

// BenchmarkPut is one durable write of one VM among others: what an operation waits for before it is announced.
func BenchmarkPut(b *testing.B) {
	for _, others := range []struct {
		name  string
		count int
	}{{"alone", 0}, {"among-200", 200}} {
		b.Run(others.name, func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "tesd.db"))
			for i := range others.count {
				if err := db.Put(full(byte(i))); err != nil {
					b.Fatal(err)
				}
			}
			v := full(201)
			b.ReportAllocs()
			for b.Loop() {
				v.Request.Sequence++
				if err := db.Put(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
