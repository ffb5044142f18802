package wire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
)

// mutator turns messages of the corpus into others: octets, lengths, pieces of one in another.
type mutator struct {
	random *rand.Rand
	corpus [][]byte
	buf    []byte
}

func newMutator(seed uint64) *mutator {
	m := &mutator{random: rand.New(rand.NewPCG(seed, 0))}
	all := corpus()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m.corpus = append(m.corpus, all[name])
	}
	return m
}

func (m *mutator) pick() []byte { return m.corpus[m.random.IntN(len(m.corpus))] }

// next is valid until the next one.
func (m *mutator) next() []byte {
	b := append(m.buf[:0], m.pick()...)
	if m.random.IntN(2) == 0 {
		b = m.compose(m.buf[:0])
	}
	for range 1 + min(m.random.IntN(4), m.random.IntN(4)) {
		b = m.mutate(b)
	}
	if len(b) > MaxLength {
		b = b[:MaxLength]
	}
	if len(b) < HeaderLength {
		b = append(b, m.pick()[len(b):]...)
	}
	if m.random.IntN(16) > 0 {
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)))
	}
	if m.random.IntN(8) > 0 && len(b) > 23 { // else few get past the lengths of the whole
		binary.BigEndian.PutUint32(b[19:], uint32(len(b)-23))
	}
	m.buf = b
	return b
}

// compose is an UPDATE of attributes of several others, in any order, with values that lengths agree with.
func (m *mutator) compose(b []byte) []byte {
	b, start := begin(b, TypeUpdate)
	b = append(b, 0, 0, 0, 0)
	var has [256]bool
	for range 1 + m.random.IntN(9) {
		from := m.pick()
		l, err := layoutOf(from)
		if err != nil {
			panic(err)
		}
		list, _, _ := splitAttributes(nil, from, l.attributes, l.nlri)
		if len(list) == 0 {
			continue
		}
		a := list[m.random.IntN(len(list))]
		if has[a.typ] && m.random.IntN(16) > 0 {
			continue
		}
		has[a.typ] = true
		at := len(b)
		b = append(b, from[a.start:a.end]...)
		if a.end > a.value && m.random.IntN(4) == 0 {
			b[at+a.value-a.start+m.random.IntN(a.end-a.value)] = byte(m.random.Uint32())
		}
	}
	return finish(b, start)
}

func (m *mutator) mutate(b []byte) []byte {
	r := m.random
	if len(b) <= HeaderLength {
		return append(b, m.pick()[HeaderLength:]...)
	}
	at := HeaderLength + r.IntN(len(b)-HeaderLength)
	if r.IntN(64) == 0 {
		at = r.IntN(HeaderLength)
	}
	switch r.IntN(9) {
	case 0:
		b[at] ^= 1 << r.IntN(8)
	case 1:
		b[at] = byte(r.Uint32())
	case 2: // what lengths, types and flags are made of
		b[at] = []byte{0, 1, 2, 3, 4, 5, 6, 9, 14, 15, 16, 32, 48, 64, 128, 192, 255}[r.IntN(17)]
	case 3:
		b[at]--
	case 4:
		b[at]++
	case 5: // cut out
		end := at + 1 + r.IntN(min(32, len(b)-at))
		b = slices.Delete(b, at, min(end, len(b)))
	case 6: // cut off
		b = b[:at]
	case 7: // put in, of another message
		from := m.pick()
		if len(from) > HeaderLength {
			begin := HeaderLength + r.IntN(len(from)-HeaderLength)
			b = slices.Insert(b, at, from[begin:min(len(from), begin+1+r.IntN(48))]...)
		}
	case 8: // twice
		b = slices.Insert(b, at, slices.Clone(b[at:min(len(b), at+1+r.IntN(64))])...)
	}
	return b
}

// TestMutated sends mutated UPDATEs through a Filter, and what it forwards to GoBGP's parser. TNS_MUTATIONS is how many; docs/fuzzing.md has the figures of
// ten million.
func TestMutated(t *testing.T) {
	count := 20_000
	if s := os.Getenv("TNS_MUTATIONS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatalf("TNS_MUTATIONS: %v", err)
		}
	}
	seed := uint64(1)
	if count > 20_000 {
		seed = uint64(time.Now().UnixNano())
	}
	m := newMutator(seed)
	var decisions [Reset + 1]int
	var forwarded, changed int
	filters := make([]*Filter, len(sessions))
	for i, s := range sessions {
		filters[i] = NewFilter(s)
	}
	start := time.Now()
	for i := range count {
		msg := m.next()
		f := filters[i%len(filters)]
		if err := guarded(f, msg); err != nil {
			t.Fatalf("seed %d, execution %d, over %+v: %x: %v", seed, i, f.session, msg, err)
		}
		decisions[f.verdict.Decision]++
		forwarded += len(f.verdict.Forward)
		if len(f.verdict.Forward) > 0 && f.changed {
			changed++
		}
	}
	took := time.Since(start)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d executions in %v: %.0f/s, seed %d", count, took.Round(time.Millisecond), float64(count)/took.Seconds(), seed)
	t.Logf("decisions: accept %d, attribute discard %d, skip %d, treat as withdraw %d, session reset %d", decisions[0], decisions[1], decisions[2], decisions[3], decisions[4])
	t.Logf("forwarded %d messages, of them rewritten: those of %d; panics 0, errors of GoBGP 0; heap %d MB", forwarded, changed, memory.HeapSys>>20)
	if decisions[Accept] == 0 || decisions[Discard] == 0 || decisions[Skip] == 0 || decisions[Withdraw] == 0 || decisions[Reset] == 0 {
		t.Errorf("decisions %v: the mutations do not reach each of them", decisions)
	}
}

// TestMutatedFromEngine reads mutated UPDATEs as if they were our own GoBGP's.
func TestMutatedFromEngine(t *testing.T) {
	m, read := newMutator(2), 0
	for i := range 20_000 {
		msg := m.next()
		if err := fromEngine(msg); err != nil {
			t.Fatalf("execution %d: %x: %v", i, msg, err)
		}
		if _, err := ParseUpdate(msg); err == nil {
			read++
		}
	}
	if read < 1000 {
		t.Errorf("only %d could be read", read)
	}
}

// fromEngine checks that what can be read can be packed, for sessions with AS numbers of two octets too, and means the same then.
func fromEngine(msg []byte) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("panic: %v", e)
		}
	}()
	u, err := ParseUpdate(msg)
	if err != nil {
		return nil
	}
	changes := u.Changes()
	then, now := NewTable(), NewTable()
	then.Apply(changes)
	msgs, unsent := Pack(changes, everyFamily)
	for _, m := range msgs {
		v, err := ParseUpdate(m)
		if err != nil {
			return fmt.Errorf("packed as %x: %w", m, err)
		}
		now.Apply(v.Changes())
	}
	if d := Diff(then, now); len(d) != len(unsent) {
		return fmt.Errorf("packed as %x: %d routes differ, %d unsent", msgs, len(d), len(unsent))
	}
	narrowed, _ := Pack(changes, Session{Families: everyFamily.Families})
	for _, m := range narrowed {
		if _, err := ParseUpdate(m); err != nil {
			return fmt.Errorf("packed as %x: %w", m, err)
		}
	}
	return nil
}

// TestGoBGPAlone shows that the mutations of TestMutated do kill GoBGP where no Filter stands before it.
func TestGoBGPAlone(t *testing.T) {
	m := newMutator(1)
	panics, kinds := 0, make(map[string]int)
	for range 50_000 {
		func() {
			defer func() {
				if e := recover(); e != nil {
					panics++
					kinds[fmt.Sprint(e)]++
				}
			}()
			_, _ = likeGoBGP(m.next(), everyFamily)
		}()
	}
	t.Logf("GoBGP alone: %d panics in 50000 executions, of %d kinds", panics, len(kinds))
	if panics == 0 {
		t.Error("GoBGP does not panic any more: the mutations are too weak, or the Filter is not needed")
	}
}

// guarded is property, with a panic as an error.
func guarded(f *Filter, msg []byte) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("panic: %v", e)
		}
	}()
	return property(f, msg)
}
