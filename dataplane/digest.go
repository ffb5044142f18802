package dataplane

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
)

// Digest names a VMPolicy: equal policies have equal digests, and no two others are known to have. Zero is none.
type Digest [16]byte

// String is the digest as 32 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// digestVersion changes when a kernel must write a policy differently, so that a new program does not keep what an old one wrote.
const digestVersion = 1

// Digest is the first half of a SHA-256 over the policy's canonical form, field by field.
func (p VMPolicy) Digest() Digest {
	p = p.Canonical()
	w := writer{sha256.New()}
	w.number(digestVersion)
	w.number(uint64(len(p.Sources)))
	for _, s := range p.Sources {
		w.text(string(s.AsSlice()))
	}
	for _, d := range []Direction{p.From, p.To} {
		w.number(uint64(len(d.Rules)))
		for _, r := range d.Rules {
			w.rule(r)
		}
		w.number(d.Limit.Rate)
		w.number(uint64(d.Limit.Burst))
	}
	w.number(p.Guarantee)
	w.octet(p.DSCP)
	w.octet(p.PCP)
	return Digest(w.h.Sum(nil)[:len(Digest{})])
}

// writer writes fields so that no two different sequences of them are the same octets.
type writer struct{ h hash.Hash }

func (w writer) number(n uint64) { w.h.Write(binary.BigEndian.AppendUint64(nil, n)) }

func (w writer) text(s string) {
	w.number(uint64(len(s)))
	w.h.Write([]byte(s))
}

func (w writer) octet(o Octet) {
	n := uint64(o.Value)
	if o.Set {
		n |= 1 << 8
	}
	w.number(n)
}

func (w writer) prefix(p netip.Prefix) {
	if !p.IsValid() {
		w.text("")
		return
	}
	w.text(p.String())
}

func (w writer) rule(r Rule) {
	w.text(r.Name)
	w.number(uint64(r.Action))
	w.text(string(r.SrcMAC[:]) + string(r.DstMAC[:]))
	w.number(uint64(r.EtherType))
	w.prefix(r.Src)
	w.prefix(r.Dst)
	w.number(uint64(r.Protocol))
	w.number(uint64(r.SrcPorts.First)<<48 | uint64(r.SrcPorts.Last)<<32 | uint64(r.DstPorts.First)<<16 | uint64(r.DstPorts.Last))
	w.octet(r.ICMPType)
	w.octet(r.ICMPCode)
}
