package store

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"
)

// noticeKey is the hook's name and the number, which is of eight octets.
func noticeKey(hook string, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(hook), number)
}

// Notices is what hooks had not got when the file was last written, by hook and number.
func (s *Store) Notices() (map[string]map[uint64][]byte, error) {
	all := map[string]map[uint64][]byte{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return bucketOf(tx, noticeBucket).ForEach(func(k, v []byte) error {
			at := len(k) - 8
			if at < 0 {
				return nil
			}
			hook := string(k[:at])
			if all[hook] == nil {
				all[hook] = map[uint64][]byte{}
			}
			all[hook][binary.BigEndian.Uint64(k[at:])] = slices.Clone(v)
			return nil
		})
	})
	return all, err
}
