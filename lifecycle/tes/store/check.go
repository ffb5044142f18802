package store

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// lookUpAll looks up each key that there is, whereby every element of every page is read: keys that do not come in order, or are not found where the
// pages above say, are damage. It panics where a page cannot be read.
func lookUpAll(tx *bolt.Tx) error {
	return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		var last []byte
		return b.ForEach(func(k, v []byte) error {
			switch {
			case last != nil && bytes.Compare(last, k) >= 0:
				return fmt.Errorf("bucket %q: key %x comes after %x", name, k, last)
			case !bytes.Equal(b.Get(k), v):
				return fmt.Errorf("bucket %q: key %x is not where the pages above it say", name, k)
			}
			last = k
			return nil
		})
	})
}

// checkPages finds pages that are free and used at once, or used twice: what is written next could be lost, or overwrite what is there. lookUpAll has
// found nothing wrong.
func checkPages(tx *bolt.Tx) (err error) {
	for wrong := range tx.Check(bolt.WithKVStringer(unprinted{})) { // to its end, for it goes on until all are taken
		err = errors.Join(err, wrong)
	}
	return err
}

// unprinted leaves keys and values out of what is told of them.
type unprinted struct{}

func (unprinted) KeyToString([]byte) string   { return "…" }
func (unprinted) ValueToString([]byte) string { return "…" }
