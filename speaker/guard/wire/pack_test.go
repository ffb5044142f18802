package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// changesOf reads UPDATEs as GoBGP sends them.
func changesOf(t testing.TB, msgs ...[]byte) (changes []Change) {
	t.Helper()
	for _, msg := range msgs {
		u, err := ParseUpdate(msg)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, u.Changes()...)
	}
	return changes
}

func announce(rt byte, nlri []byte) []byte {
	return update(nil, nil, reach(EVPN, hop, nlri), origin, emptyPath, extended(set(target, 7, rt)))
}

func TestPack(t *testing.T) {
	withdraw := func(nlri []byte) []byte { return update(nil, nil, unreach(EVPN, nlri)) }
	moved := set(nlri2, len(nlri2)-1, 99) // another label of the same route
	tests := []struct {
		name string
		in   [][]byte
		want [][]byte
	}{
		{"nothing", nil, nil},
		{"one", [][]byte{announce(1, nlri2)}, [][]byte{announce(1, nlri2)}},
		{"one withdrawal", [][]byte{withdraw(nlri2)}, [][]byte{withdraw(nlri2)}},
		{
			"equal attributes share an UPDATE", [][]byte{announce(1, nlri2), announce(1, nlri3), announce(1, nlri26)},
			[][]byte{update(nil, nil, reach(EVPN, hop, nlri2, nlri3, nlri26), origin, emptyPath, extended(set(target, 7, 1)))},
		},
		{
			"others between them do not matter", [][]byte{announce(1, nlri2), announce(2, nlri3), announce(1, nlri26)},
			[][]byte{update(nil, nil, reach(EVPN, hop, nlri2, nlri26), origin, emptyPath, extended(set(target, 7, 1))), announce(2, nlri3)},
		},
		{"the last change of a route counts", [][]byte{announce(1, nlri2), announce(2, moved)}, [][]byte{announce(2, moved)}},
		{"withdrawn in the end", [][]byte{announce(1, nlri2), withdraw(nlri2)}, [][]byte{withdraw(nlri2)}},
		{"announced in the end", [][]byte{withdraw(nlri2), announce(1, nlri2)}, [][]byte{announce(1, nlri2)}},
		{
			"a route that replaces another one comes first", [][]byte{withdraw(nlri3), announce(1, nlri2), withdraw(nlri26)},
			[][]byte{announce(1, nlri2), update(nil, nil, unreach(EVPN, nlri3, nlri26))},
		},
		{
			"families", [][]byte{withdraw(nlri2), update(nil, nil, unreach(RouteTargets, rtc)), update(unhex("08 0a"), nil), update(unhex("08 0b"), nil)},
			[][]byte{withdraw(nlri2), update(nil, nil, unreach(RouteTargets, rtc)), update(unhex("08 0a 08 0b"), nil)},
		},
		{
			"IPv4", [][]byte{update(nil, unhex("08 0a"), origin, emptyPath, attr(0x40, attrNextHop, hop...)), update(nil, unhex("08 0b"), origin, emptyPath, attr(0x40, attrNextHop, hop...))},
			[][]byte{update(nil, unhex("08 0a 08 0b"), origin, emptyPath, attr(0x40, attrNextHop, hop...))},
		},
		{
			"next hops", [][]byte{announce(1, nlri2), update(nil, nil, reach(EVPN, unhex("c0000202"), nlri3), origin, emptyPath, extended(set(target, 7, 1)))},
			[][]byte{announce(1, nlri2), update(nil, nil, reach(EVPN, unhex("c0000202"), nlri3), origin, emptyPath, extended(set(target, 7, 1)))},
		},
	}
	for _, tt := range tests {
		got, unsent := Pack(changesOf(t, tt.in...), everyFamily)
		if len(unsent) > 0 || !slices.EqualFunc(got, tt.want, bytes.Equal) {
			t.Errorf("%s: %x, must be %x", tt.name, got, tt.want)
		}
	}
}

func TestPackFillsMessages(t *testing.T) {
	changes := changesOf(t, macs(1000, 1)...)
	for _, c := range changesOf(t, macs(300, 1)...) { // and withdrawals of others, of another RD
		changes = append(changes, Change{Family: c.Family, NLRI: string(set([]byte(c.NLRI), 9, 99))})
	}
	msgs, unsent := Pack(changes, everyFamily)
	if len(unsent) > 0 {
		t.Fatalf("%d unsent", len(unsent))
	}
	for i, m := range msgs {
		if len(m) > MaxLength {
			t.Errorf("message %d has %d octets", i, len(m))
		}
		full := len(m) > MaxLength-len(nlri2)
		if last := i == len(msgs)-1 || m[24] != msgs[i+1][24]; !last && !full { // of announcements, of withdrawals
			t.Errorf("message %d of %d octets could have held one route more", i, len(m))
		}
	}
	then, now := NewTable(), NewTable()
	then.Apply(changes)
	now.Apply(changesOf(t, msgs...))
	if d := Diff(then, now); len(d) > 0 || then.Len(EVPN) != 1000 {
		t.Errorf("%d of %d routes differ", len(d), then.Len(EVPN))
	}
}

func TestPackTooLong(t *testing.T) {
	long := update(nil, nil, reach(EVPN, hop, nlri2), origin, emptyPath, attr(0xd0, attrExtended, bytes.Repeat(target, 500)...))
	changes := changesOf(t, long, announce(1, nlri3))
	changes[0].NLRI = string(nlri26) // longer than what came
	msgs, unsent := Pack(changes, everyFamily)
	if len(unsent) != 1 || unsent[0] != changes[0] || len(msgs) != 1 || !bytes.Equal(msgs[0], announce(1, nlri3)) {
		t.Errorf("%d unsent, sent %x", len(unsent), msgs)
	}
}

// TestPackKeepsState has random changes arrive in batches of any size: what was sent always means what was said.
func TestPackKeepsState(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	routes := [][]byte{nlri1, nlri2, nlri2m, nlri26, nlri3, nlri36, nlri4, nlri5, nlri56, set(nlri2, len(nlri2)-1, 9)}
	want, got := NewTable(), NewTable()
	for range 2000 {
		var batch []Change
		for range 1 + random.IntN(12) {
			nlri := routes[random.IntN(len(routes))]
			msg := announce(byte(random.IntN(3)), nlri)
			if random.IntN(3) == 0 {
				msg = update(nil, nil, unreach(EVPN, nlri))
			}
			batch = append(batch, changesOf(t, msg)...)
		}
		want.Apply(batch)
		msgs, _ := Pack(batch, everyFamily)
		got.Apply(changesOf(t, msgs...))
		if d := Diff(want, got); len(d) > 0 {
			t.Fatalf("%d routes differ after %v", len(d), batch)
		}
	}
}

func TestParseUpdateRefuses(t *testing.T) {
	for name, msg := range map[string][]byte{
		"cut off":        routed()[:40],
		"NLRI cut off":   update(nil, nil, reach(EVPN, hop, nlri2[:20]), origin, emptyPath),
		"attributes end": cutAt(2, localPref, reach(EVPN, hop, nlri2), origin),
		"no NEXT_HOP":    update(nil, unhex("080a"), origin, emptyPath),
		"no ORIGIN":      update(nil, nil, reach(EVPN, hop, nlri2), emptyPath),
		"bad next hop":   update(nil, nil, reach(EVPN, make([]byte, 4), nlri2), origin, emptyPath),
	} {
		if u, err := ParseUpdate(msg); err == nil {
			t.Errorf("%s: read as %+v", name, u)
		}
	}
	for _, f := range []Family{EVPN, RouteTargets, IPv4Unicast} {
		u, err := ParseUpdate(AppendEndOfRIB(nil, f))
		if err != nil || u.EndOfRIB != f || u.Changes() != nil {
			t.Errorf("End-of-RIB of %v: %+v, %v", f, u, err)
		}
		if got, err := likeGoBGP(AppendEndOfRIB(nil, f), everyFamily); err != nil {
			t.Error(err)
		} else if end, family := got.IsEndOfRib(); !end || fmt.Sprint(family) == "" {
			t.Errorf("GoBGP does not take it for End-of-RIB of %v", f)
		}
	}
}

// TestPackerIsPack packs changes of different routes, again and again with the same Packer, behind what there is.
func TestPackerIsPack(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var p Packer
	all := changesOf(t, macs(400, 7)...)
	for _, narrow := range []bool{false, true} {
		s := everyFamily
		s.FourOctetAS = !narrow
		for range 200 {
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			changes := slices.Clone(all[:random.IntN(len(all))])
			for i := range changes {
				switch random.IntN(50) {
				case 0, 1, 2:
					changes[i].Attributes = Attributes{}
				case 3:
					changes[i].Attributes = Attributes{string(append([]byte{4, 1, 2, 3, 4}, make([]byte, MaxLength)...))} // does not fit
				}
			}
			msgs, unsent := Pack(changes, s)
			b, n, left := p.Append([]byte("before"), changes, s)
			if want := append([]byte("before"), bytes.Join(msgs, nil)...); !bytes.Equal(b, want) || n != len(msgs) || !slices.Equal(left, unsent) {
				t.Fatalf("%d changes: %d messages, %d unsent, want %d and %d, octets equal %t", len(changes), n, len(left), len(msgs), len(unsent), bytes.Equal(b, want))
			}
		}
	}
}

// Routes of the engine have no attributes that depend on the peer.
func TestReaderOfBareUpdates(t *testing.T) {
	msg := []byte{
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 68, 2, 0, 0, 0, 45,
		0x80, 14, 42, 0, 25, 70, 4, 192, 0, 2, 1, 0,
		2, 33, 0, 1, 192, 0, 2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 48, 2, 0, 0, 0, 0, 1, 0, 0, 39, 116,
	}
	msg[17], msg[22], msg[25] = byte(len(msg)), byte(len(msg)-23), byte(len(msg)-26)
	bare := Reader{Bare: true}
	if u, err := bare.Update(msg); err != nil || len(u.Announced) != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := new(Reader).Update(msg); err == nil {
		t.Errorf("a reader of whole ones reads %+v", u)
	}
}
