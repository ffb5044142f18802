package nft

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// line is one rule of a chain.
type line struct {
	exprs   []expr.Any
	comment string // for people
}

// prepare prepares a chain's rules in the transaction, and returns their labels.
func (tx *transaction) prepare(chain string, lines []line) (labels []string) {
	for i, l := range lines {
		labels = append(labels, label(i, len(lines), l))
		tx.fail(tx.conn.addRule(chain, l.exprs, userdata.AppendString(nil, userdata.TypeComment, labels[i])))
	}
	return labels
}

// label is a rule's comment: its place, the number of rules, its hash, and what it says to people.
func label(i, n int, l line) string {
	s := fmt.Sprintf("%d/%d %08x", i+1, n, fingerprint(l.exprs))
	if l.comment != "" {
		s += " " + l.comment
	}
	return s
}

// intact reports whether a chain's rules are those of one prepare, and returns their comments.
func intact(rules []*nftables.Rule) (comments []string, ok bool) {
	for i, r := range rules {
		comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		want := label(i, len(rules), line{exprs: r.Exprs})
		rest, ok := strings.CutPrefix(comment, want)
		if !ok {
			return nil, false
		}
		comments = append(comments, strings.TrimPrefix(rest, " "))
	}
	return comments, true
}

var noCounter = &expr.Counter{}

// fingerprint is a hash of what a rule does; what it counted is left out.
func fingerprint(exprs []expr.Any) uint32 {
	h := fnv.New32a()
	for _, e := range exprs {
		switch v := e.(type) {
		case *expr.Counter:
			e = noCounter
		case *expr.Lookup:
			l := *v
			l.SetID = 0
			e = &l
		case *expr.Immediate:
			e = &expr.Immediate{Register: v.Register, Data: v.Data}
		}
		b, err := marshal(e)
		if err != nil {
			b = []byte(err.Error())
		}
		h.Write(b)
	}
	return h.Sum32()
}

// counted is what the counter of a rule says.
func counted(r *nftables.Rule) (frames, octets uint64) {
	for _, e := range r.Exprs {
		if c, ok := e.(*expr.Counter); ok {
			return c.Packets, c.Bytes
		}
	}
	return 0, 0
}

// The registers for keys of several parts, numbered as the kernel lists them: by sixteen octets where one begins there, else by four.
const (
	reg       = unix.NFT_REG_1
	afterName = unix.NFT_REG_2        // behind a device name
	afterMAC  = unix.NFT_REG32_00 + 6 // behind a device name and a MAC
	macOctets = 6
)

// Offsets of fields.
const (
	etherDst = 0 // of the link header
	etherSrc = 6
	arpFixed = 0 // of the network header: hardware and protocol type and lengths
	arpMAC   = 8
	arpIP    = 14
	ip4Src   = 12
	ip4Dst   = 16
	ip6Len   = 4
	ip6Next  = 6
	ip6Src   = 8
	ip6Dst   = 24
)

func exprs(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func load(base expr.PayloadBase, offset, length, register uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: register, Base: base, Offset: offset, Len: length}}
}

func link(offset, length, register uint32) []expr.Any {
	return load(expr.PayloadBaseLLHeader, offset, length, register)
}

func network(offset, length, register uint32) []expr.Any {
	return load(expr.PayloadBaseNetworkHeader, offset, length, register)
}

func transport(offset, length, register uint32) []expr.Any {
	return load(expr.PayloadBaseTransportHeader, offset, length, register)
}

func compare(op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: op, Register: reg, Data: data}}
}

func is(data ...byte) []expr.Any    { return compare(expr.CmpOpEq, data...) }
func isNot(data ...byte) []expr.Any { return compare(expr.CmpOpNeq, data...) }

// masked keeps the octets under a mask of what is in the register.
func masked(mask ...byte) []expr.Any {
	return []expr.Any{&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))}}
}

// ethernet is a frame that came from an Ethernet device. nft does the same before `ether`, and needs it to print that.
func ethernet() []expr.Any {
	return exprs([]expr.Any{&expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: reg}}, is(binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_ETHER)...))
}

// protocol is a frame of an EtherType.
func protocol(etherType uint16) []expr.Any {
	return exprs([]expr.Any{&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg}}, is(binary.BigEndian.AppendUint16(nil, etherType)...))
}

// transportProtocol is a packet of an IP protocol.
func transportProtocol(p uint8) []expr.Any {
	return exprs([]expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}}, is(p))
}

// in is a frame whose key is in a set; notIn one whose key is not.
func in(set string, key ...[]expr.Any) []expr.Any {
	return append(exprs(key...), &expr.Lookup{SourceRegister: reg, SetName: set})
}

func notIn(set string, key ...[]expr.Any) []expr.Any {
	return append(exprs(key...), &expr.Lookup{SourceRegister: reg, SetName: set, Invert: true})
}

// dispatch goes where a map says.
func dispatch(set string, key []expr.Any) []expr.Any {
	return append(exprs(key), &expr.Lookup{SourceRegister: reg, SetName: set, IsDestRegSet: true})
}

// sender is the device that a frame came from and its source address, as the beginning of a key.
func sender() []expr.Any {
	return append([]expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg}}, link(etherSrc, macOctets, afterName)...)
}

func counter() []expr.Any { return []expr.Any{&expr.Counter{}} }

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func to(kind expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}
}

var (
	accept = verdict(expr.VerdictAccept)
	drop   = verdict(expr.VerdictDrop)
	ret    = verdict(expr.VerdictReturn)
)

func jump(chain string) []expr.Any { return to(expr.VerdictJump, chain) }
func goTo(chain string) []expr.Any { return to(expr.VerdictGoto, chain) }
