package evpn_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// Whatever can be said is read as it was said.
func TestRandomMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		request, response := randomRequest(r), randomResponse(r)
		if got, err := evpn.DecodeRequest(shuffled(request.Communities(), r.Uint64())); err != nil || !reflect.DeepEqual(got, request) {
			t.Fatalf("request %+v read as %+v, %v", request, got, err)
		}
		if got, err := evpn.DecodeResponse(shuffled(response.Communities(), r.Uint64())); err != nil || !reflect.DeepEqual(got, response) {
			t.Fatalf("response %+v read as %+v, %v", response, got, err)
		}
		m, ok := evpn.DecodeMirror(request.Mirror(65000))
		if want := (evpn.Mirror{AS: 65000, State: request.Base, Op: request.Op, Immigration: request.Flags&evpn.FlagImmigration != 0, Sequence: request.Sequence}); !ok || m != want {
			t.Fatalf("mirror of %+v read as %+v, %v", request, m, ok)
		}
		m, ok = evpn.DecodeMirror(response.Mirror(65000))
		if want := (evpn.Mirror{AS: 65000, Response: true, State: response.State, Status: response.Status, Reason: response.Reason, Sequence: response.Sequence}); !ok || m != want {
			t.Fatalf("mirror of %+v read as %+v, %v", response, m, ok)
		}
	}
}

func randomRequest(r *rand.Rand) evpn.Request {
	q := evpn.Request{
		Op:       evpn.Op(1 + r.IntN(6)),
		Base:     evpn.State(r.IntN(6)),
		Flags:    evpn.Flags(r.IntN(8) << 1),
		Sequence: r.Uint32(),
		VM:       randomVMID(r),
		Count:    uint8(1 + r.IntN(255)),
	}
	q.Index = uint8(1 + r.IntN(int(q.Count)))
	if r.IntN(2) == 0 {
		q.Policy = &evpn.Policy{Type: r.Uint32N(1 << 24), Version: uint8(r.Uint32()), Format: uint8(r.Uint32())}
	}
	if r.IntN(2) == 0 {
		q.VNName = new(evpn.HashVNName(q.VM.String()))
	}
	if r.IntN(2) == 0 {
		q.Proposal = randomTag(r)
	}
	if r.IntN(2) == 0 {
		q.Echo = &evpn.Echo{Change: uint8(r.Uint32()), Failed: r.IntN(2) == 0}
	}
	if r.IntN(2) == 0 {
		q.Credential = &evpn.Credential{KeyID: uint16(r.Uint32()), Tag: randomVMID(r)}
		q.Expiry = new(r.Uint32())
	}
	return q
}

func randomResponse(r *rand.Rand) evpn.Response {
	q := evpn.Response{Status: evpn.Status(r.IntN(4)), State: evpn.State(r.IntN(6)), Reason: evpn.Reason(r.IntN(20)), Sequence: r.Uint32()}
	if r.IntN(4) > 0 {
		q.VM = new(randomVMID(r))
		q.Count = uint8(1 + r.IntN(255))
		q.Index = uint8(1 + r.IntN(int(q.Count)))
	}
	if r.IntN(2) == 0 {
		q.Lease = &evpn.Lease{Lifetime: uint16(r.Uint32())}
	}
	if r.IntN(2) == 0 {
		q.VNName = new(evpn.HashVNName("vn"))
	}
	if r.IntN(2) == 0 {
		q.Tag = randomTag(r)
	}
	return q
}

func randomTag(r *rand.Rand) *evpn.LocalTag {
	return &evpn.LocalTag{
		Type: uint8(r.Uint32()), PS: r.IntN(2) == 0, PCP: uint8(r.IntN(8)), VID: uint16(r.IntN(4096)), Change: uint8(r.Uint32()),
	}
}

func randomVMID(r *rand.Rand) (v evpn.VMID) {
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

// No flipped bit of a message makes a reader fall over or read two different values in two orders; and unless it is reserved it changes what is read.
func TestFlippedBits(t *testing.T) {
	full := communities(t, requests[1].octets...)
	for i := range full {
		for bit := range 64 {
			cs := slices.Clone(full)
			cs[i][bit/8] ^= 0x80 >> (bit % 8)
			a, errA := evpn.DecodeRequest(cs)
			b, errB := evpn.DecodeRequest(shuffled(cs, uint64(bit)))
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(errA, errB) {
				t.Errorf("%x: read %+v %v, in another order %+v %v", cs[i], a, errA, b, errB)
			}
			same := errA == nil && reflect.DeepEqual(a, requests[1].request)
			matters := !slices.Equal(evpn.Content(cs), evpn.Content(full))
			if same == matters && full[i][1] != byte(evpn.SubtypeEcho) {
				t.Errorf("%x, one bit from %x: read as the same is %v", cs[i], full[i], same)
			}
			_, _ = evpn.DecodeResponse(cs)
			_, _ = evpn.DecodeBeacon(cs)
			_ = cs[i].String()
		}
	}
}

func TestImmigration(t *testing.T) {
	for op := evpn.PreAssociate; op <= evpn.Terminate; op++ {
		r := evpn.Request{Op: op, Flags: evpn.FlagImmigration}
		if want := op == evpn.PreAssociate || op == evpn.Associate; r.Immigration() != want {
			t.Errorf("%v with M: immigration is not %v", op, want)
		}
		r.Flags = evpn.FlagKeepAlive
		if r.Immigration() {
			t.Errorf("%v without M is an immigration", op)
		}
	}
}
