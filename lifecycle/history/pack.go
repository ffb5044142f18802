package history

import (
	"encoding/binary"
	"errors"
)

// Pack is events in few octets, for another process of this version: their words, and what the log keeps of each.
//
//	+-----------+----------+---------+----------+------------------------------+----------+
//	| version 8 | words: v | texts … | events v | VM, packed: each a text … ……………………… |
//	+-----------+----------+---------+----------+------------------------------+----------+
//	text: length v, octets
func Pack(events []Event) []byte {
	w := words{numbers: make(map[string]uint64)}
	var body, room []byte
	for i := range events {
		room = w.pack(room[:0], &events[i])
		body = appendText(appendText(body, events[i].VM), string(room))
	}
	b := binary.AppendUvarint([]byte{packVersion}, uint64(len(w.all)))
	for _, word := range w.all {
		b = appendText(b, word)
	}
	return append(binary.AppendUvarint(b, uint64(len(events))), body...)
}

// packVersion tells that what is packed is this.
const packVersion = 1

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errUnpack = errors.New("these are no events as this version packs them")

// Unpack is the events that Pack was given. What Pack has not made is an error.
func Unpack(b []byte) (events []Event, err error) {
	defer func() {
		if recover() != nil { // it ends too early, or names a word that is not there
			events, err = nil, errUnpack
		}
	}()
	if len(b) == 0 || b[0] != packVersion {
		return nil, errUnpack
	}
	w := words{}
	r := unpacker{rest: string(b[1:])}
	for range r.number() {
		w.all = append(w.all, r.octets(int(r.number())))
	}
	for range r.number() {
		vm := r.octets(int(r.number()))
		events = append(events, w.unpack(vm, packed(r.octets(int(r.number())))))
	}
	return events, nil
}
