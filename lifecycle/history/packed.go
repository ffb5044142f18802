package history

import (
	"encoding/binary"
	"encoding/json"
	"strings"
)

// packed is an event in a quarter of the memory, and without a pointer in it for the collector to follow: number, time, VNI, sequence, and its texts but the VM, each a word that many events
// have, or spelled out.
//
//	+-----------+-----------+-------+------------+-----------+-----------------+
//	| number v  | time      | VNI v | sequence v | ten texts | Move: JSON text |
//	+-----------+-----------+-------+------------+-----------+-----------------+
//	time: zone 8 | UTC or local: nanoseconds since 1970, 64 | else: length 8, as time.Time marshals
//	text: v = 0 empty | v = 1 spelled out: length v, octets | v = 2 MAC, 48 | v >= 3 word v-3
//	v: a varint
type packed string

// words are texts that many events have, by number. Those of the first to come stay: whatever comes later is spelled out, so that it does not matter what comes.
type words struct {
	numbers map[string]uint64
	all     []string
}

const (
	maxWords   = 4096
	maxDetails = maxWords / 2 // sentences leave room for names
	maxLetters = 64
)

const (
	empty = iota
	spelled
	six   // octets of a MAC
	first // word
)

// text appends a text; it becomes a word if there are fewer than so many.
func (w *words) text(b []byte, s string, most int) []byte {
	if s == "" {
		return append(b, empty)
	}
	if most > 0 {
		if n, ok := w.numbers[s]; ok {
			return binary.AppendUvarint(b, n)
		}
		if len(w.all) < most && len(s) <= maxLetters {
			s = strings.Clone(s)
			n := uint64(first + len(w.all))
			w.numbers[s] = n
			w.all = append(w.all, s)
			return binary.AppendUvarint(b, n)
		}
	}
	b = binary.AppendUvarint(append(b, spelled), uint64(len(s)))
	return append(b, s...)
}

// pack appends the event.
func (w *words) pack(b []byte, e *Event) []byte {
	b = binary.AppendUvarint(b, e.Number)
	b = appendTime(b, e.At)
	b = binary.AppendUvarint(b, uint64(e.VNI))
	b = binary.AppendUvarint(b, uint64(e.Sequence))
	for _, s := range [...]string{string(e.Kind), e.TES, e.Peer, e.VN, e.Op, e.State, e.Status, e.Reason} {
		b = w.text(b, s, maxWords)
	}
	b = w.mac(b, e.MAC)
	b = w.text(b, e.IP, 0)
	b = w.text(b, e.Detail, maxDetails)
	var move string
	if e.Move != nil {
		m, _ := json.Marshal(e.Move)
		move = string(m)
	}
	return w.text(b, move, 0)
}

// unpack is the event of a VM.
func (w *words) unpack(vm string, p packed) Event {
	r := unpacker{words: w, rest: string(p)}
	e := Event{VM: vm, Number: r.number()}
	e.At = r.time()
	e.VNI, e.Sequence = uint32(r.number()), uint32(r.number())
	e.Kind = Kind(r.text())
	for _, s := range [...]*string{&e.TES, &e.Peer, &e.VN, &e.Op, &e.State, &e.Status, &e.Reason, &e.MAC, &e.IP, &e.Detail} {
		*s = r.text()
	}
	if move := r.text(); move != "" {
		e.Move = &Move{}
		_ = json.Unmarshal([]byte(move), e.Move)
	}
	return e
}

// unpacker reads an event. Texts that are spelled out share its memory.
type unpacker struct {
	*words
	rest string
}

func (r *unpacker) number() (n uint64) {
	for shift := 0; ; shift += 7 {
		c := r.rest[0]
		r.rest = r.rest[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
}

func (r *unpacker) octets(n int) string {
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *unpacker) text() string {
	switch n := r.number(); n {
	case empty:
		return ""
	case spelled:
		return r.octets(int(r.number()))
	case six:
		return macText(r.octets(6))
	default:
		return r.all[n-first]
	}
}
