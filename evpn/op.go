package evpn

import "strings"

// Op is an operation (SPEC §2).
type Op uint8

const (
	PreAssociate Op = 1 + iota
	Associate
	Suspend
	Resume
	Emigrate
	Terminate
)

var opWords = words{"op", []string{
	PreAssociate: "pre-associate",
	Associate:    "associate",
	Suspend:      "suspend",
	Resume:       "resume",
	Emigrate:     "emigrate",
	Terminate:    "terminate",
}}

// ParseOp reads an operation's word, as tnsctl has it.
func ParseOp(s string) (Op, error) {
	n, err := opWords.parse(s)
	return Op(n), err
}

// String is the operation's word.
func (o Op) String() string { return opWords.format(uint8(o)) }

// MarshalText is the text of String.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what ParseOp does.
func (o *Op) UnmarshalText(text []byte) (err error) {
	*o, err = ParseOp(string(text))
	return err
}

// Flags of OP.
type Flags uint8

const (
	FlagImmigration Flags = 8 // M
	FlagKeepAlive   Flags = 4 // K
	FlagDryRun      Flags = 2 // D

	knownFlags = FlagImmigration | FlagKeepAlive | FlagDryRun // 1 is reserved
)

// String is the letters of the flags that are set, such as "MD"; none is the empty string.
func (f Flags) String() string {
	var b strings.Builder
	for _, flag := range [...]struct {
		bit    Flags
		letter byte
	}{{FlagImmigration, 'M'}, {FlagKeepAlive, 'K'}, {FlagDryRun, 'D'}} {
		if f&flag.bit != 0 {
			b.WriteByte(flag.letter)
		}
	}
	return b.String()
}

// version of the protocol in OP.
const version = 1

// opValue is OP.
//
//	 0           4      8            12      16                            48
//	+-----------+------+------------+-------+-----------------------------+
//	| version=1 | op   | base state | flags | sequence 32                 |
//	+-----------+------+------------+-------+-----------------------------+
func opValue(op Op, base State, flags Flags, sequence uint32) value {
	return version<<44 | value(op&15)<<40 | value(base&15)<<36 | value(flags&knownFlags)<<32 | value(sequence)
}

// readOp takes OP apart, without judging it.
func readOp(v value) (ver uint8, op Op, base State, flags Flags, sequence uint32) {
	return uint8(v >> 44), Op(v >> 40 & 15), State(v >> 36 & 15), Flags(v>>32) & knownFlags, uint32(v)
}
