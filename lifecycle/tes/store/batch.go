package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/tns-project/tns/evpn"
)

// batch is what the journal holds and bbolt's file does not yet. To apply it twice is harmless.
type batch struct {
	vms       map[evpn.VMID][]byte // records; nil for a VM that is forgotten
	sequences map[evpn.VMID]uint32
	numbers   map[string]uint16
	rebuilt   map[evpn.RouterID]bool
}

func newBatch() batch {
	return batch{vms: map[evpn.VMID][]byte{}, sequences: map[evpn.VMID]uint32{}, numbers: map[string]uint16{}, rebuilt: map[evpn.RouterID]bool{}}
}

func (b batch) isEmpty() bool {
	return len(b.vms)+len(b.sequences)+len(b.numbers)+len(b.rebuilt) == 0
}

// add puts a later batch on top.
func (b batch) add(later batch) {
	maps.Copy(b.vms, later.vms)
	maps.Copy(b.sequences, later.sequences)
	maps.Copy(b.numbers, later.numbers)
	maps.Copy(b.rebuilt, later.rebuilt)
}

// replay adds a record of the journal.
func (b batch) replay(e entry) error {
	malformed := fmt.Errorf("record %d of kind %d with %d octets is malformed", e.number, e.kind, len(e.body))
	var id evpn.VMID
	switch e.kind {
	case entryPut, entryForget:
		if len(e.body) < len(id) || e.kind == entryForget && len(e.body) > len(id) {
			return malformed
		}
		copy(id[:], e.body)
		if e.kind == entryForget {
			b.vms[id] = nil
			return nil
		}
		v, err := decode(id[:], e.body[len(id):])
		if err != nil {
			return fmt.Errorf("record %d, VM %v: %w", e.number, id, err)
		}
		b.vms[id], b.sequences[id] = e.body[len(id):], v.Request.Sequence
	case entryNumber:
		if len(e.body) < 2 {
			return malformed
		}
		b.numbers[string(e.body[2:])] = binary.BigEndian.Uint16(e.body)
	case entryRebuilt:
		if len(e.body) != 4 {
			return malformed
		}
		b.rebuilt[evpn.RouterID(binary.BigEndian.Uint32(e.body))] = true
	default:
		return malformed
	}
	return nil
}

// overlay puts the batch on top of what was read.
func (b batch) overlay(im *Image) error {
	maps.Copy(im.Sequences, b.sequences)
	maps.Copy(im.Numbers, b.numbers)
	maps.Copy(im.Rebuilt, b.rebuilt)
	if len(b.vms) == 0 {
		return nil
	}
	im.VMs = slices.DeleteFunc(im.VMs, func(v VM) bool { _, changed := b.vms[v.ID]; return changed })
	for id, record := range b.vms {
		if record == nil {
			continue
		}
		v, err := decode(id[:], record)
		if err != nil {
			return err
		}
		im.VMs = append(im.VMs, v)
	}
	slices.SortFunc(im.VMs, func(a, b VM) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return nil
}

// write applies the batch, whose last record has that number.
func (b batch) write(tx *bolt.Tx, last uint64) error {
	vms, sequences, numbers, rebuilt := tx.Bucket(vmBucket), tx.Bucket(sequenceBucket), tx.Bucket(numberBucket), tx.Bucket(rebuiltBucket)
	added := 0
	for id, record := range b.vms {
		there := vms.Get(id[:]) != nil
		var err error
		switch {
		case record != nil:
			err = vms.Put(id[:], record)
			if !there {
				added++
			}
		case there:
			err = vms.Delete(id[:])
			added--
		}
		if err != nil {
			return err
		}
	}
	for id, n := range b.sequences {
		if err := sequences.Put(id[:], octets(n)); err != nil {
			return err
		}
	}
	for vn, n := range b.numbers {
		if err := numbers.Put([]byte(vn), binary.BigEndian.AppendUint16(nil, n)); err != nil {
			return err
		}
	}
	for nve := range b.rebuilt {
		if err := rebuilt.Put(octets(uint32(nve)), []byte{}); err != nil {
			return err
		}
	}
	return errors.Join(addCount(tx, added), tx.Bucket(metaBucket).Put(appliedKey, appliedValue(last)))
}

// appliedValue is the number of the last record of the journal that the file holds, and the CRC-32C of that.
func appliedValue(last uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, last)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// readApplied is 0 for a file that never had a journal.
func readApplied(meta *bolt.Bucket) (uint64, error) {
	b := meta.Get(appliedKey)
	if b == nil {
		return 0, nil
	}
	if len(b) != 12 || binary.BigEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], castagnoli) {
		return 0, fmt.Errorf("the number of the journal's last record, %x, is malformed", b)
	}
	return binary.BigEndian.Uint64(b), nil
}
