package wire

// Decision is what RFC 7606 §2 wants done about an error in an UPDATE, the mildest first.
type Decision uint8

const (
	Accept   Decision = iota
	Discard           // attribute discard: the attribute goes, the routes stay
	Skip              // NLRI of a route type or family that cannot be carried are left out, the others stay (§5.4)
	Withdraw          // treat-as-withdraw: all routes of the UPDATE are withdrawn
	Reset             // session reset, also where the RFC leaves the choice of disabling the family
)

// String is the decision in the RFC's words.
func (d Decision) String() string {
	switch d {
	case Accept:
		return "accept"
	case Discard:
		return "attribute discard"
	case Skip:
		return "skip"
	case Withdraw:
		return "treat as withdraw"
	}
	return "session reset"
}

// Refusal is one thing of an UPDATE that does not get through, for counters and the log.
type Refusal struct {
	Decision Decision
	What     string // such as "MULTI_EXIT_DISC" or "EVPN route type 9": few different ones, fit for a counter's label
	Text     string // why, with the section that decides
	Offset   int    // in the message, header included
	Octets   []byte // the offending ones, at most OctetsKept: a copy
}
