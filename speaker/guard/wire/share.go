package wire

import (
	"hash/maphash"
	"sync"
)

// recent is the attributes that were seen last, so that equal ones are one piece of memory: all routes of a network have the same, and what one peer is told
// others are told at about the same time. Package unique would find all that there are, and costs three times what the rest of the way through the guard
// does where each route has its own, in weak pointers and in work for the garbage collector.
type recent struct {
	mu   sync.Mutex
	seed maphash.Seed
	sets [2048][4]string // each by age; together 8192 attributes, of some 200 octets
}

var attributesSeen = recent{seed: maphash.MakeSeed()}

// share is b as a string, one that was seen before if it is still known.
func (r *recent) share(b []byte) string {
	at := maphash.Bytes(r.seed, b) % uint64(len(r.sets))
	r.mu.Lock()
	defer r.mu.Unlock()
	set := &r.sets[at]
	for i, s := range set {
		if s == string(b) {
			copy(set[1:i+1], set[:i])
			set[0] = s
			return s
		}
	}
	s := string(b)
	copy(set[1:], set[:len(set)-1])
	set[0] = s
	return s
}
