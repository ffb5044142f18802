package wire

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

// TestEqualAttributesShareMemory: the routes of a network have one piece of memory for their attributes, whoever read them. Attributes that were forgotten
// among many others are equal all the same, and a table keeps what it has when it is told the same again.
func TestEqualAttributesShareMemory(t *testing.T) {
	memory := func(c Change) *byte { return unsafe.StringData(c.Attributes.octets) }
	first := changesOf(t, announce(1, nlri2))[0]
	filtered := NewFilter(everyFamily).Update(announce(1, nlri3)).Changes()[0]
	if first.Attributes != filtered.Attributes || memory(first) != memory(filtered) {
		t.Error("two routes of a network do not share their attributes")
	}
	var old [8]byte
	for n := range uint32(16 * 8192) {
		binary.BigEndian.PutUint32(old[:], n)
		attributesSeen.share(old[:])
	}
	again := changesOf(t, announce(1, nlri2))[0]
	if memory(again) == memory(first) {
		t.Error("attributes are kept for ever")
	}
	if again != first {
		t.Errorf("%v and %v differ", again, first)
	}
	table := NewTable()
	table.Set(first)
	table.Age()
	if table.Set(again) {
		t.Error("the same again makes a difference")
	}
	for c := range table.All() {
		if memory(c) != memory(first) {
			t.Error("what a table is told again takes new memory")
		}
	}
}
