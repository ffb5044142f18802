package guard_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// mutationsVariable is how many mutated messages TestMutatedMessages sends; 2,000 if it is not set.
const mutationsVariable = "GUARD_MUTATIONS"

// corpus is UPDATEs of every kind that passes here.
func corpus() (list [][]byte) {
	list = append(list,
		update(1, 1), update(2, 1, 0xc0, 16, 16, 0x06, 0x08, 1, 2, 3, 4, 5, 6, 0x88, 1, 1, 2, 3, 4, 5, 6), update(3, 1, 0xc0, 32, 12, 0, 0, 0xfd, 0xe8, 0, 1, 2, 3, 0, 0, 0, 7),
		update(4, 1, 0x80, 4, 4, 0, 0, 0, 1, 0xc0, 8, 4, 0xff, 0xff, 0xff, 1), update(5, 1, 0x80, 9, 4, 10, 0, 0, 1, 0x80, 10, 4, 10, 0, 0, 2), wire.AppendEndOfRIB(nil, wire.EVPN))
	for _, n := range [][]byte{
		append([]byte{1, 25, 0, 1, 10, 0, 0, 9, 0, 1}, make([]byte, 17)...),
		append([]byte{3, 17, 0, 1, 10, 0, 0, 9, 0, 1, 0, 0, 0, 0, 32}, 10, 0, 0, 9),
		append(append([]byte{4, 23, 0, 1, 10, 0, 0, 9, 0, 1}, make([]byte, 10)...), 32, 10, 0, 0, 9),
		append([]byte{5, 34, 0, 1, 10, 0, 0, 9, 0, 1}, make([]byte, 28)...),
		{9, 4, 1, 2, 3, 4},
	} {
		reach := append([]byte{0, 25, 70, 4, 10, 0, 0, 9, 0}, n...)
		attributes := append([]byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100, 0x80, 14, byte(len(reach))}, reach...)
		list = append(list, message(wire.TypeUpdate, append([]byte{0, 0, 0, byte(len(attributes))}, attributes...)))
		unreach := append([]byte{0x80, 15, byte(3 + len(n)), 0, 25, 70}, n...)
		list = append(list, message(wire.TypeUpdate, append([]byte{0, 0, 0, byte(len(unreach))}, unreach...)))
	}
	return list
}

// mutate changes a few octets of a body, or its length; mostly the header stays right, so that what is inside is read.
func mutate(r *rand.Rand, msg []byte) []byte {
	b := append([]byte(nil), msg...)
	for range 1 + r.IntN(3) {
		at := wire.HeaderLength + r.IntN(len(b)-wire.HeaderLength)
		switch r.IntN(5) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.UintN(256))
		case 2:
			b[at] += byte(r.IntN(5)) - 2
		case 3:
			b = append(b[:at], append([]byte{byte(r.UintN(256))}, b[at:]...)...)
		case 4:
			if b = append(b[:at], b[at+1:]...); len(b) < wire.HeaderLength+4 {
				return msg
			}
		}
	}
	binary.BigEndian.PutUint16(b[16:], uint16(len(b)))
	return b
}

// TestMutatedMessages lets an established peer send mutated UPDATEs, through a real session, the guard and GoBGP behind it: GoBGP lives, and no other
// peer's session is disturbed. What resets the session is followed by another session.
func TestMutatedMessages(t *testing.T) {
	want := 2000
	if s := os.Getenv(mutationsVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		want = n
	}
	c := setting(anyone())
	g := run(t, c)
	engine := talk(t, engineOf(c))
	good := call(t, address(), g.own())
	open := good.hello()
	open.HoldTime = 0 // it has nothing to say for the whole time
	good.establish(t, open)
	good.say(update(1, 1))
	_, next := engine.waitRoute(t, 0, keyOf(1))
	before := g.waitUp(t, good.address)

	seed := uint64(time.Now().UnixNano())
	random, bases := rand.New(rand.NewPCG(seed, 1)), corpus()
	bad, sessions := address(), 0
	for received := func() int { return int(g.status(t, bad).Received) }; received() < want; sessions++ {
		r := call(t, bad, g.own())
		r.establish(t, r.hello())
		g.waitUp(t, bad)
		for closed := false; !closed && received() < want; {
			const burst = 64
			before := received()
			for range burst {
				r.say(mutate(random, bases[random.IntN(len(bases))]))
			}
			eventually(t, "all are read, or the session is reset", func() bool {
				r.mu.Lock()
				closed = r.err != nil
				r.mu.Unlock()
				return closed || received() >= before+burst
			})
		}
		r.Close()
		eventually(t, "the session is over", func() bool { return g.status(t, bad).State != guard.Established })
	}
	last := call(t, bad, g.own())
	last.establish(t, last.hello())
	last.say(update(77, 1))
	engine.waitRoute(t, next, keyOf(77))
	if s := g.status(t, good.address); s.Since != before.Since || s.EngineSince != before.EngineSince || s.State != guard.Established {
		t.Errorf("the other session was disturbed: %+v (seed %d)", s, seed)
	}
	s := g.status(t, bad)
	t.Logf("%d messages in %d sessions; refused %d of %d; seed %d", want, sessions, s.Refused, s.Received, seed)
}
