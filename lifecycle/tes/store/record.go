package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

// recordVersion is the version of a VM's record.
const recordVersion = 1

// recordHeader is the length of version and CRC-32C.
const recordHeader = 5

// recordRoom is what most records fit in.
const recordRoom = 1 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a VM as JSON. Operations, states, flags, statuses and reasons are the numbers of SPEC §2; phase and purpose those of vm.go.
type record struct {
	NVE      string        `json:"nve"`
	Wish     wishRecord    `json:"wish"`
	Request  requestRecord `json:"request"`
	Standing []routeRecord `json:"standing"`
	Acked    ackedRecord   `json:"acked"`
	Answer   answerRecord  `json:"answer"`
	Tags     []tagRecord   `json:"tags,omitempty"`
}

type wishRecord struct {
	Op          uint8           `json:"op"`
	Immigration bool            `json:"immigration,omitempty"`
	Bindings    []bindingRecord `json:"bindings,omitempty"`
	Phase       uint8           `json:"phase"`
	Anew        bool            `json:"anew,omitempty"`
}

type requestRecord struct {
	Op       uint8  `json:"op"`
	Base     uint8  `json:"base"`
	Flags    uint8  `json:"flags,omitempty"`
	Sequence uint32 `json:"sequence"`
	Purpose  uint8  `json:"purpose,omitempty"`
}

type routeRecord struct {
	bindingRecord
	requestRecord
	Index uint8       `json:"index"`
	Count uint8       `json:"count"`
	Echo  *echoRecord `json:"echo,omitempty"`
}

type echoRecord struct {
	Change uint8 `json:"change"`
	Failed bool  `json:"failed,omitempty"`
}

type bindingRecord struct {
	VN         string            `json:"vn"`
	VNI        uint32            `json:"vni,omitempty"`
	MAC        string            `json:"mac"`
	IP         netip.Addr        `json:"ip"`
	Policy     *policyRecord     `json:"policy,omitempty"`
	Credential *credentialRecord `json:"credential,omitempty"`
	Expiry     *uint32           `json:"expiry,omitempty"`
}

type policyRecord struct {
	Type    uint32 `json:"type"`
	Version uint8  `json:"version"`
	Format  uint8  `json:"format"`
}

type credentialRecord struct {
	KeyID uint16 `json:"key_id"`
	Tag   []byte `json:"tag"`
}

type ackedRecord struct {
	State    uint8           `json:"state"`
	Op       uint8           `json:"op"`
	Sequence uint32          `json:"sequence"`
	Bindings []bindingRecord `json:"bindings,omitempty"`
}

type answerRecord struct {
	Answered bool   `json:"answered,omitempty"`
	Status   uint8  `json:"status,omitempty"`
	Reason   uint8  `json:"reason,omitempty"`
	State    uint8  `json:"state,omitempty"`
	Lifetime uint16 `json:"lifetime_s,omitempty"`
	Told     uint8  `json:"told,omitempty"`
}

type tagRecord struct {
	VN     string      `json:"vn"`
	Type   uint8       `json:"type"`
	PS     bool        `json:"ps,omitempty"`
	PCP    uint8       `json:"pcp,omitempty"`
	VID    uint16      `json:"vid,omitempty"`
	Change uint8       `json:"change"`
	Echo   *echoRecord `json:"echo,omitempty"`

	MAC     evpn.MAC `json:"mac"`
	Applied bool     `json:"applied,omitempty"`
}

// encode is the VM's record: version, CRC-32C, JSON.
func encode(v VM) []byte {
	r := toRecord(v)
	b := make([]byte, recordHeader, recordRoom)
	b[0] = recordVersion
	b = r.appendTo(b)
	binary.BigEndian.PutUint32(b[1:], checksum(v.ID[:], b))
	return b
}

// decode reads what encode wrote under that key.
func decode(key, b []byte) (VM, error) {
	var v VM
	if len(key) != len(v.ID) {
		return v, fmt.Errorf("key %x has %d octets, a VMID has %d", key, len(key), len(v.ID))
	}
	copy(v.ID[:], key)
	if len(b) < recordHeader {
		return v, fmt.Errorf("record of %d octets is too short", len(b))
	}
	if b[0] != recordVersion {
		return v, fmt.Errorf("record of version %d, this program reads version %d", b[0], recordVersion)
	}
	if want, got := binary.BigEndian.Uint32(b[1:]), checksum(key, b); want != got {
		return v, fmt.Errorf("checksum is %08x, the record says %08x", got, want)
	}
	var r record
	if err := json.Unmarshal(b[recordHeader:], &r); err != nil {
		return v, err
	}
	return fromRecord(v.ID, r)
}

// checksum covers the key, the version and the body.
func checksum(key, b []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, b[:1])
	return crc32.Update(sum, castagnoli, b[recordHeader:])
}

func toRecord(v VM) record {
	r := record{
		NVE: v.NVE.String(),
		Wish: wishRecord{
			Op: uint8(v.Wish.Op), Immigration: v.Wish.Immigration,
			Bindings: toBindings(v.Wish.Bindings), Phase: uint8(v.Wish.Phase), Anew: v.Wish.Anew,
		},
		Request: requestRecord{
			Op: uint8(v.Request.Op), Base: uint8(v.Request.Base), Flags: uint8(v.Request.Flags),
			Sequence: v.Request.Sequence, Purpose: uint8(v.Request.Purpose),
		},
		Acked: ackedRecord{
			State: uint8(v.Acked.State), Op: uint8(v.Acked.Op), Sequence: v.Acked.Sequence, Bindings: toBindings(v.Acked.Bindings),
		},
		Answer: answerRecord{
			Answered: v.Answer.Answered, Status: uint8(v.Answer.Status), Reason: uint8(v.Answer.Reason),
			State: uint8(v.Answer.State), Lifetime: v.Answer.Lifetime, Told: uint8(v.Answer.Told),
		},
	}
	for _, s := range v.Standing {
		route := routeRecord{
			bindingRecord: toBinding(s.Binding),
			requestRecord: requestRecord{Op: uint8(s.Op), Base: uint8(s.Base), Flags: uint8(s.Flags), Sequence: s.Sequence},
			Index:         s.Index, Count: s.Count, Echo: toEcho(s.Echo),
		}
		r.Standing = append(r.Standing, route)
	}
	for _, t := range v.Tags {
		r.Tags = append(r.Tags, tagRecord{VN: t.VN, MAC: t.MAC, Applied: t.Applied, Type: t.Type, PS: t.PS, PCP: t.PCP, VID: t.VID, Change: t.Change, Echo: toEcho(t.Echo)})
	}
	return r
}

func toEcho(e *evpn.Echo) *echoRecord {
	if e == nil {
		return nil
	}
	return &echoRecord{Change: e.Change, Failed: e.Failed}
}

func toBindings(bs []Binding) []bindingRecord {
	var rs []bindingRecord
	for _, b := range bs {
		rs = append(rs, toBinding(b))
	}
	return rs
}

func toBinding(b Binding) bindingRecord {
	r := bindingRecord{VN: b.VN, VNI: uint32(b.VNI), MAC: b.MAC.String(), IP: b.IP, Expiry: b.Expiry}
	if p := b.Policy; p != nil {
		r.Policy = &policyRecord{Type: p.Type, Version: p.Version, Format: p.Format}
	}
	if c := b.Credential; c != nil {
		r.Credential = &credentialRecord{KeyID: c.KeyID, Tag: c.Tag[:]}
	}
	return r
}

func fromRecord(id evpn.VMID, r record) (VM, error) {
	nve, errNVE := evpn.ParseRouterID(r.NVE)
	wish, errWish := fromBindings(r.Wish.Bindings)
	acked, errAcked := fromBindings(r.Acked.Bindings)
	if err := errors.Join(errNVE, errWish, errAcked); err != nil {
		return VM{}, err
	}
	v := VM{
		ID:  id,
		NVE: nve,
		Wish: Wish{
			Op: evpn.Op(r.Wish.Op), Immigration: r.Wish.Immigration,
			Bindings: wish, Phase: Phase(r.Wish.Phase), Anew: r.Wish.Anew,
		},
		Request: Request{
			Op: evpn.Op(r.Request.Op), Base: evpn.State(r.Request.Base), Flags: evpn.Flags(r.Request.Flags),
			Sequence: r.Request.Sequence, Purpose: Purpose(r.Request.Purpose),
		},
		Acked: Acked{State: evpn.State(r.Acked.State), Op: evpn.Op(r.Acked.Op), Sequence: r.Acked.Sequence, Bindings: acked},
		Answer: Answer{
			Answered: r.Answer.Answered, Status: evpn.Status(r.Answer.Status), Reason: evpn.Reason(r.Answer.Reason),
			State: evpn.State(r.Answer.State), Lifetime: r.Answer.Lifetime, Told: evpn.Reason(r.Answer.Told),
		},
	}
	for _, s := range r.Standing {
		b, err := fromBinding(s.bindingRecord)
		if err != nil {
			return VM{}, err
		}
		route := Route{
			Binding: b, Op: evpn.Op(s.Op), Base: evpn.State(s.Base), Flags: evpn.Flags(s.Flags),
			Sequence: s.Sequence, Index: s.Index, Count: s.Count, Echo: fromEcho(s.Echo),
		}
		v.Standing = append(v.Standing, route)
	}
	for _, t := range r.Tags {
		if t.MAC == (evpn.MAC{}) {
			continue // of a version that knew one tag for a VN; the NVE tells it again
		}
		v.Tags = append(v.Tags, Tag{VN: t.VN, MAC: t.MAC, Applied: t.Applied, LocalTag: evpn.LocalTag{Type: t.Type, PS: t.PS, PCP: t.PCP, VID: t.VID, Change: t.Change}, Echo: fromEcho(t.Echo)})
	}
	return v, nil
}

func fromEcho(e *echoRecord) *evpn.Echo {
	if e == nil {
		return nil
	}
	return &evpn.Echo{Change: e.Change, Failed: e.Failed}
}

func fromBindings(rs []bindingRecord) ([]Binding, error) {
	var bs []Binding
	for _, r := range rs {
		b, err := fromBinding(r)
		if err != nil {
			return nil, err
		}
		bs = append(bs, b)
	}
	return bs, nil
}

func fromBinding(r bindingRecord) (Binding, error) {
	mac, err := evpn.ParseMAC(r.MAC)
	if err != nil {
		return Binding{}, err
	}
	b := Binding{VN: r.VN, VNI: evpn.VNI(r.VNI), MAC: mac, IP: r.IP, Expiry: r.Expiry}
	if p := r.Policy; p != nil {
		b.Policy = &evpn.Policy{Type: p.Type, Version: p.Version, Format: p.Format}
	}
	if c := r.Credential; c != nil {
		if len(c.Tag) != len(evpn.Credential{}.Tag) {
			return Binding{}, fmt.Errorf("credential tag of %d octets, want %d", len(c.Tag), len(evpn.Credential{}.Tag))
		}
		b.Credential = &evpn.Credential{KeyID: c.KeyID, Tag: [16]byte(c.Tag)}
	}
	return b, nil
}
