package lifecycle

import "testing"

// FuzzEvents plays bytes as requests, signs and things that the edge sees: whatever the order, each state holds what it promises, and a
// TERMINATE and an end of the memory leave nothing.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{0x02, 0x03, 0x04, 0x05, 0x06})
	f.Add([]byte{0x01, 0x02, 0x05, 0xfb, 0xfa, 0x04, 0x06})
	f.Add([]byte{0x0a, 0xfa, 0xfc, 0xf0, 0x05, 0x14})
	f.Add([]byte{0x42, 0x43, 0x45, 0x84, 0xf9})
	f.Fuzz(func(t *testing.T, play []byte) {
		x := &edge{}
		for _, b := range play {
			if err := x.play(b); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
		}
		x.want(t, OpTerminate, Terminated, AgedOut, Null)
		if x.holds() != 0 || x.record || x.lifetime || x.Association != (Association{}) {
			t.Fatalf("left behind: %+v", x)
		}
	})
}

// play reads a byte as a step:
//
//	 7 6 5   4    3   2 1 0
//	+-----+------+---+-----+
//	|base | same | K | op  |   op 1 to 6
//	+-----+------+---+-----+
//	|1 1 1| 1    |  0..3   |   aged out, outranked, newer seen, reinstated
//	|1 1 1| 1    |  8..12  |   a sign
//	+-----+------+---------+
func (x *edge) play(b byte) error {
	if b >= 0xf0 {
		low := b & 0x0f
		if low >= 8 && Sign(low-8) < numSigns {
			x.Association = x.See(Sign(low - 8))
			return x.check()
		}
		return x.happen(AgedOut + Event(low%4))
	}
	r := Request{Op: Op(b & 7), Base: Figure(b >> 5), KeepAlive: b&8 != 0}
	if !r.Op.Valid() {
		return nil
	}
	_, err := x.ask(r, b&16 != 0 && x.State.Alive())
	return err
}
