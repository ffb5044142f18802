package evpn

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
)

// Digest is DIGEST: the number of live requests and the CRC-32C over them.
//
//	 0               16                            48
//	+---------------+-----------------------------+
//	| live 16       | CRC-32C 32                  |
//	+---------------+-----------------------------+
type Digest struct {
	Live uint16
	CRC  uint32
}

func (d Digest) value() value { return value(d.Live)<<32 | value(d.CRC) }

func readDigest(v value) Digest { return Digest{Live: uint16(v >> 32), CRC: uint32(v)} }

// DigestItem is one covered request route.
type DigestItem struct {
	VNI      VNI
	Key      RouteKey
	Sequence uint32
}

// digestRecord is the octets of one item, padded with zeros: VNI 32 | MAC 48 | IP octets 8 | IP | sequence 32. The IP's length comes before what
// it changes, so padded records sort as the octet strings do.
type digestRecord struct {
	octets [4 + 6 + 1 + 16 + 4]byte
	len    int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DigestOf is the digest of the items, in any order (SPEC §2, Beacon). Live stays at 65535 when there are more.
func DigestOf(items []DigestItem) Digest {
	records := make([]digestRecord, len(items))
	for i := range items {
		records[i] = items[i].record()
	}
	slices.SortFunc(records, func(a, b digestRecord) int { return bytes.Compare(a.octets[:], b.octets[:]) })
	d := Digest{Live: uint16(min(len(items), math.MaxUint16))}
	for i := range records {
		d.CRC = crc32.Update(d.CRC, castagnoli, records[i].octets[:records[i].len])
	}
	return d
}

func (i *DigestItem) record() (r digestRecord) {
	b := binary.BigEndian.AppendUint32(r.octets[:0], uint32(i.VNI))
	b = append(b, i.Key.MAC[:]...)
	b = append(b, byte(i.Key.IP.BitLen()/8))
	switch {
	case i.Key.IP.Is4():
		ip := i.Key.IP.As4()
		b = append(b, ip[:]...)
	case i.Key.IP.Is6():
		ip := i.Key.IP.As16()
		b = append(b, ip[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, i.Sequence)
	r.len = len(b)
	return r
}
