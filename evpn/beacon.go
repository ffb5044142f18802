package evpn

// Beacon is what a type 3 beacon or reply beacon says (SPEC §2). A reply beacon need not have a Lease; the zero Lease is none.
type Beacon struct {
	Lease  Lease
	Digest Digest
}

// Communities is the beacon as extended communities, in SPEC's order, without LEASE where that is zero.
func (b *Beacon) Communities() []ExtendedCommunity {
	cs := make([]ExtendedCommunity, 0, 2)
	if b.Lease != (Lease{}) {
		cs = append(cs, SubtypeLease.community(b.Lease.value()))
	}
	return append(cs, SubtypeDigest.community(b.Digest.value()))
}

// DecodeBeacon reads a TES's beacon: both parts must be there. On error (*FormatError) it holds what could be read.
func DecodeBeacon(cs []ExtendedCommunity) (Beacon, error) {
	p := newReader("beacon", cs)
	p.need(SubtypeLease, SubtypeDigest)
	return p.beacon()
}

// DecodeReplyBeacon reads an NVE's reply beacon, of which only DIGEST must be there. On error (*FormatError) it holds what could be read.
func DecodeReplyBeacon(cs []ExtendedCommunity) (Beacon, error) {
	p := newReader("reply beacon", cs)
	p.need(SubtypeDigest)
	return p.beacon()
}

func (r *reader) beacon() (b Beacon, err error) {
	if r.one(SubtypeLease) {
		b.Lease = readLease(r.low[SubtypeLease])
	}
	if r.one(SubtypeDigest) {
		b.Digest = readDigest(r.low[SubtypeDigest])
	}
	return b, r.err(false, false)
}
