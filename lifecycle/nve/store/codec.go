package store

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/tag"
)

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func vniKey(v evpn.VNI) []byte { return be32(uint32(v)) }

func vmKey(vm evpn.VMID, tes evpn.RouterID) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 32), vm[:]...), uint32(tes))
}

func stationKey(v evpn.VNI, m evpn.MAC) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 10), uint32(v)), m[:]...)
}

const (
	flagOther  = 1
	flagActive = 2
)

func encodeMobility(m nve.Mobility) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 17), m.Seen)
	b = binary.BigEndian.AppendUint32(b, m.Own)
	var flags byte
	if m.Other {
		flags |= flagOther
	}
	if m.Active {
		flags |= flagActive
	}
	var gone int64
	if !m.Gone.IsZero() {
		gone = m.Gone.Unix()
	}
	return binary.BigEndian.AppendUint64(append(b, flags), uint64(gone))
}

func decodeMobility(b []byte) (m nve.Mobility, err error) {
	if len(b) != 17 {
		return m, fmt.Errorf("%d octets, want 17", len(b))
	}
	m.Seen, m.Own = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	m.Other, m.Active = b[8]&flagOther != 0, b[8]&flagActive != 0
	if gone := int64(binary.BigEndian.Uint64(b[9:])); gone != 0 {
		m.Gone = time.Unix(gone, 0)
	}
	return m, nil
}

// acceptanceKey is the octets of a binding of a VM at a TES, the IP last.
func acceptanceKey(k nve.VMKey, b nve.BindingKey) []byte {
	return slices.Concat(vmKey(k.VM, k.TES), vniKey(b.VNI), b.Name[:], b.MAC[:], b.IP.AsSlice())
}

const acceptanceKeyLen = 16 + 4 + 4 + 12 + 6 // without the IP

func decodeAcceptanceKey(key []byte) (k nve.VMKey, b nve.BindingKey, err error) {
	if len(key) < acceptanceKeyLen {
		return k, b, fmt.Errorf("%d octets, want %d and an IP", len(key), acceptanceKeyLen)
	}
	k = nve.VMKey{VM: evpn.VMID(key[:16]), TES: evpn.RouterID(binary.BigEndian.Uint32(key[16:]))}
	b = nve.BindingKey{VNI: evpn.VNI(binary.BigEndian.Uint32(key[20:])), Name: evpn.VNName(key[24:36]), MAC: evpn.MAC(key[36:42])}
	if ip := key[acceptanceKeyLen:]; len(ip) > 0 {
		var ok bool
		if b.IP, ok = netip.AddrFromSlice(ip); !ok {
			return k, b, fmt.Errorf("an IP of %d octets, want 0, 4 or 16", len(ip))
		}
	}
	return k, b, nil
}

func encodeAcceptance(a nve.Acceptance) []byte {
	b := binary.BigEndian.AppendUint32(nil, a.Policy.Type<<8|uint32(a.Policy.Version))
	b = binary.BigEndian.AppendUint32(b, a.Expiry)
	b = binary.BigEndian.AppendUint16(b, a.Credential.KeyID)
	return append(b, a.Credential.Tag[:]...)
}

func decodeAcceptance(b []byte) (a nve.Acceptance, err error) {
	if len(b) != 26 {
		return a, fmt.Errorf("%d octets, want 26", len(b))
	}
	policy := binary.BigEndian.Uint32(b)
	a.Policy = evpn.Policy{Type: policy >> 8, Version: uint8(policy)}
	a.Expiry = binary.BigEndian.Uint32(b[4:])
	a.Credential = evpn.Credential{KeyID: binary.BigEndian.Uint16(b[8:]), Tag: [16]byte(b[10:])}
	return a, nil
}

// holdingLen is the octets of one MAC of a holding: VNI, MAC, policy type and version.
const holdingLen = 4 + 6 + 4

// encodeHolding is nil for nothing.
func encodeHolding(h nve.Holding) []byte {
	var b []byte
	for _, held := range h {
		b = binary.BigEndian.AppendUint32(b, uint32(held.VNI))
		b = append(b, held.MAC[:]...)
		b = binary.BigEndian.AppendUint32(b, held.Value.Type<<8|uint32(held.Value.Version))
	}
	return b
}

func decodeHolding(b []byte) (nve.Holding, error) {
	if len(b) == 0 || len(b)%holdingLen != 0 {
		return nil, fmt.Errorf("%d octets, want some times %d", len(b), holdingLen)
	}
	h := nve.Holding{}
	for ; len(b) > 0; b = b[holdingLen:] {
		policy := binary.BigEndian.Uint32(b[10:])
		h.Put(nve.StationKey{VNI: evpn.VNI(binary.BigEndian.Uint32(b)), MAC: evpn.MAC(b[4:10])}, evpn.Policy{Type: policy >> 8, Version: uint8(policy)})
	}
	return h, nil
}

// Load reads everything. An entry that makes no sense is left out and logged: the rest is as good as before.
func (s *Store) Load() (nve.Memory, error) {
	m := nve.Memory{
		Numbers: map[evpn.VNI]uint16{}, TESs: map[evpn.RouterID]struct{}{},
		Sequences: map[nve.VMKey]uint32{}, Mobility: map[nve.StationKey]nve.Mobility{},
		Acceptances: map[nve.VMKey]map[nve.BindingKey]nve.Acceptance{}, Holdings: map[nve.VMKey]nve.Holding{}, Draining: map[evpn.VNI]struct{}{},
		Tags: map[tag.Key]tag.Tag{}, Told: map[nve.VMKey]nve.ByStation[nve.Told]{},
	}
	odd := 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		all := func(bucket uint8, read func(k, v []byte) error) error {
			return bucketOf(tx, bucket).ForEach(func(k, v []byte) error {
				if read(k, v) != nil {
					odd++
				}
				return nil
			})
		}
		each := func(bucket uint8, keyLen int, read func(k, v []byte) error) error {
			return all(bucket, func(k, v []byte) error {
				if len(k) != keyLen {
					return fmt.Errorf("%d octets, want %d", len(k), keyLen)
				}
				return read(k, v)
			})
		}
		fixed := func(v []byte, n int) error {
			if len(v) != n {
				return fmt.Errorf("%d octets, want %d", len(v), n)
			}
			return nil
		}
		return firstError(
			each(numberBucket, 4, func(k, v []byte) error {
				if err := fixed(v, 2); err != nil {
					return err
				}
				m.Numbers[evpn.VNI(binary.BigEndian.Uint32(k))] = binary.BigEndian.Uint16(v)
				return nil
			}),
			each(tesBucket, 4, func(k, _ []byte) error {
				m.TESs[evpn.RouterID(binary.BigEndian.Uint32(k))] = struct{}{}
				return nil
			}),
			each(sequenceBucket, 20, func(k, v []byte) error {
				if err := fixed(v, 4); err != nil {
					return err
				}
				m.Sequences[nve.VMKey{VM: evpn.VMID(k[:16]), TES: evpn.RouterID(binary.BigEndian.Uint32(k[16:]))}] = binary.BigEndian.Uint32(v)
				return nil
			}),
			each(mobilityBucket, 10, func(k, v []byte) error {
				mob, err := decodeMobility(v)
				if err == nil {
					m.Mobility[nve.StationKey{VNI: evpn.VNI(binary.BigEndian.Uint32(k)), MAC: evpn.MAC(k[4:])}] = mob
				}
				return err
			}),
			each(drainingBucket, 4, func(k, _ []byte) error {
				m.Draining[evpn.VNI(binary.BigEndian.Uint32(k))] = struct{}{}
				return nil
			}),
			each(holdingBucket, 20, func(k, v []byte) error {
				h, err := decodeHolding(v)
				if err == nil {
					m.Holdings[nve.VMKey{VM: evpn.VMID(k[:16]), TES: evpn.RouterID(binary.BigEndian.Uint32(k[16:]))}] = h
				}
				return err
			}),
			all(tagBucket, func(k, v []byte) error {
				key, err := decodeTagKey(k)
				if err != nil {
					return err
				}
				t, err := decodeTag(v)
				if err == nil {
					m.Tags[key] = t
				}
				return err
			}),
			each(toldBucket, 30, func(k, v []byte) error {
				vm := nve.VMKey{VM: evpn.VMID(k[:16]), TES: evpn.RouterID(binary.BigEndian.Uint32(k[16:]))}
				t, err := decodeTold(v)
				if err != nil {
					return err
				}
				all := m.Told[vm]
				all.Put(nve.StationKey{VNI: evpn.VNI(binary.BigEndian.Uint32(k[20:])), MAC: evpn.MAC(k[24:])}, t)
				m.Told[vm] = all
				return nil
			}),
			all(acceptanceBucket, func(k, v []byte) error {
				vm, b, err := decodeAcceptanceKey(k)
				if err != nil {
					return err
				}
				a, err := decodeAcceptance(v)
				if err != nil {
					return err
				}
				if m.Acceptances[vm] == nil {
					m.Acceptances[vm] = map[nve.BindingKey]nve.Acceptance{}
				}
				m.Acceptances[vm][b] = a
				return nil
			}),
		)
	})
	if odd > 0 {
		s.log.WithField("path", s.path).WithField("entries", odd).Warn("state has entries that make no sense: left out")
	}
	return m, err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
