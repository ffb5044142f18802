package nft

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/google/nftables/expr"

	"github.com/tns-project/tns/dataplane"
)

const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
	etherTypeARP  = 0x0806
)

// match is the frames that a rule is about.
func match(m dataplane.Match) []expr.Any {
	var all []expr.Any
	etherType := m.EtherType
	switch m.Family() {
	case 4:
		etherType = etherTypeIPv4
	case 6:
		etherType = etherTypeIPv6
	}
	if etherType != 0 {
		all = append(all, protocol(etherType)...)
	}
	none := dataplane.MAC{}
	if m.SrcMAC != none {
		all = append(all, exprs(link(etherSrc, macOctets, reg), is(m.SrcMAC[:]...))...)
	}
	if m.DstMAC != none {
		all = append(all, exprs(link(etherDst, macOctets, reg), is(m.DstMAC[:]...))...)
	}
	all = append(all, prefix(m.Src, ip4Src, ip6Src)...)
	all = append(all, prefix(m.Dst, ip4Dst, ip6Dst)...)
	if m.Protocol != 0 {
		all = append(all, transportProtocol(m.Protocol)...)
	}
	all = append(all, ports(m.SrcPorts, 0)...)
	all = append(all, ports(m.DstPorts, 2)...)
	if m.ICMPType.Set {
		all = append(all, exprs(transport(0, 1, reg), is(m.ICMPType.Value))...)
	}
	if m.ICMPCode.Set {
		all = append(all, exprs(transport(1, 1, reg), is(m.ICMPCode.Value))...)
	}
	return all
}

// prefix is packets with an address in a prefix, which is at another place in each family.
func prefix(p netip.Prefix, offset4, offset6 uint32) []expr.Any {
	if !p.IsValid() || p.Bits() == 0 {
		return nil
	}
	addr := p.Masked().Addr().AsSlice()
	offset := offset4
	if len(addr) == 16 {
		offset = offset6
	}
	all := network(offset, uint32(len(addr)), reg)
	if p.Bits() < len(addr)*8 {
		mask := make([]byte, len(addr))
		for i := range p.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		all = append(all, masked(mask...)...)
	}
	return append(all, is(addr...)...)
}

func ports(p dataplane.Ports, offset uint32) []expr.Any {
	first, last := binary.BigEndian.AppendUint16(nil, p.First), binary.BigEndian.AppendUint16(nil, p.Last)
	switch {
	case p == dataplane.Ports{}:
		return nil
	case p.First == p.Last:
		return exprs(transport(offset, 2, reg), is(first...))
	}
	return exprs(transport(offset, 2, reg), compare(expr.CmpOpGte, first...), compare(expr.CmpOpLte, last...))
}

// list is the rules of a direction, with what denies.
func list(rules []dataplane.Rule, deny []expr.Any) (lines []line) {
	for _, r := range rules {
		var then []expr.Any
		switch r.Action {
		case dataplane.Allow:
			then = accept
		case dataplane.Deny:
			then = deny
		}
		lines = append(lines, line{exprs(match(r.Match), counter(), then), strings.TrimSpace(ruleComment + r.Name)})
	}
	return lines
}

// dscp sets the DSCP of packets of both families, and leaves the two bits of ECN beside it.
func dscp(v uint8) []line {
	field := func(mask, xor uint16) []expr.Any {
		bytes := func(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
		return []expr.Any{&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 2, Mask: bytes(mask), Xor: bytes(xor)}}
	}
	write := func(sum expr.PayloadCsumType, at uint32) []expr.Any {
		return []expr.Any{&expr.Payload{
			OperationType: expr.PayloadWrite, SourceRegister: reg, Base: expr.PayloadBaseNetworkHeader, Len: 2, CsumType: sum, CsumOffset: at,
		}}
	}
	return []line{
		{exprs(protocol(etherTypeIPv4), network(0, 2, reg), field(0xff03, uint16(v)<<2), write(expr.CsumTypeInet, 10)), ""},
		{exprs(protocol(etherTypeIPv6), network(0, 2, reg), field(0xf03f, uint16(v)<<6), write(expr.CsumTypeNone, 0)), ""},
	}
}

// mark sets a number of the packet, which nothing on the wire shows.
func mark(k expr.MetaKey, v uint32) line {
	return line{exprs: []expr.Any{
		&expr.Immediate{Register: reg, Data: binary.NativeEndian.AppendUint32(nil, v)},
		&expr.Meta{Key: k, SourceRegister: true, Register: reg},
	}}
}

// ruleComment begins the comment of a rule of a policy; what else its chains hold has another.
const ruleComment = "rule "
