package evpn

import "fmt"

// FormatError says why a message is malformed (FAIL 1).
type FormatError struct {
	Reason  Reason
	Text    string
	HasVM   bool // the VMID fragments are whole
	HasOp   bool // OP (in a response RESULT) is there, so the sequence is known
	Missing bool // no community of ours at all: not a message
}

// Error is Text.
func (e *FormatError) Error() string { return e.Text }

// parts is the communities of type 0x88 of one route, sorted by sub-type, whatever their order was. Of each sub-type the least and the greatest
// value are kept, reserved bits cleared: where they differ the message is malformed.
type parts struct {
	any      bool
	critical Subtype // the least sub-type that is not known and must be; 0: none
	seen     uint32  // bit n: sub-type n
	low      [len(subtypes)]value
	high     [len(subtypes)]value
}

// collect sorts the communities of type 0x88 of a route and passes over all others.
func collect(cs []ExtendedCommunity) (p parts) {
	for _, c := range cs {
		if !c.Signalling() {
			continue
		}
		p.any = true
		sub, v := c.split()
		if !sub.Known() {
			if sub&criticalBit != 0 && (p.critical == 0 || sub < p.critical) {
				p.critical = sub
			}
			continue
		}
		v &= subtypes[sub].bits
		if p.seen&(1<<sub) == 0 {
			p.seen |= 1 << sub
			p.low[sub], p.high[sub] = v, v
			continue
		}
		p.low[sub], p.high[sub] = min(p.low[sub], v), max(p.high[sub], v)
	}
	return p
}

// has reports whether the sub-type is there, with one value or several.
func (p *parts) has(s Subtype) bool { return p.seen&(1<<s) != 0 }

// least is the sub-type's least value.
func (p *parts) least(s Subtype) (v value, ok bool) { return p.low[s], p.has(s) }

// one reports whether every sub-type of a group is there with one value, so that the group can be read.
func (p *parts) one(group ...Subtype) bool {
	for _, s := range group {
		if !p.has(s) || p.low[s] != p.high[s] {
			return false
		}
	}
	return true
}

// reader judges the parts of one message. It keeps the first complaint, and the checks come in an order of their own, so that the complaint too
// does not depend on the order of the communities.
type reader struct {
	parts
	message string // what is being read, for the error
	text    string // the first complaint
}

// newReader sorts the communities and judges what is the same for every message: whether it is one, sub-types that are not known, and sub-types
// with two values.
func newReader(message string, cs []ExtendedCommunity) reader {
	r := reader{parts: collect(cs), message: message}
	if !r.any {
		r.complain("no community of type 0x88")
	}
	if r.critical != 0 {
		r.complain("%v is not known, and its bit 0x80 forbids ignoring it", r.critical)
	}
	for s := range Subtype(len(subtypes)) {
		if r.low[s] != r.high[s] {
			r.complain("%v has two values, %012x and %012x, where there is one", s, uint64(r.low[s]), uint64(r.high[s]))
		}
	}
	return r
}

// complain keeps the first complaint: which part, its value, and what would be right.
func (r *reader) complain(format string, args ...any) {
	if r.text == "" {
		r.text = "read " + r.message + ": " + fmt.Sprintf(format, args...)
	}
}

// need complains about what is not there of a group that must be.
func (r *reader) need(group ...Subtype) {
	for _, s := range group {
		if !r.has(s) {
			r.complain("%v is missing", s)
		}
	}
}

// together complains about a group that is there in part.
func (r *reader) together(group ...Subtype) {
	for _, s := range group {
		if r.has(s) {
			r.need(group...)
			return
		}
	}
}

// err is the first complaint as a *FormatError, or nil.
func (r *reader) err(hasVM, hasOp bool) error {
	if r.text == "" {
		return nil
	}
	return &FormatError{Reason: InvalidFormat, Text: r.text, HasVM: hasVM, HasOp: hasOp, Missing: !r.any}
}

// checkRoute complains about an index and count that number no route.
func (r *reader) checkRoute(index, count uint8) {
	switch {
	case count == 0:
		r.complain("VMID-c route count is 0, not 1 or more")
	case index == 0:
		r.complain("VMID-c route index is 0, not 1 to %d", count)
	case index > count:
		r.complain("VMID-c route index is %d, not 1 to %d", index, count)
	}
}
