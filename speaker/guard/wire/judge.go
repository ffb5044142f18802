package wire

import (
	"encoding/binary"
	"fmt"
)

// maxRefusals limits what one message makes the log say; Skipped counts on.
const maxRefusals = 16

// judge reads the message into the verdict's Withdrawn and Announced, and the attributes that stay into f.attributes. An error resets the session.
func (f *Filter) judge() *Error {
	if err := expect(f.msg, TypeUpdate); err != nil {
		return err.(*Error)
	}
	l, err := layoutOf(f.msg)
	if err != nil {
		return err
	}
	if err := f.split(l); err != nil {
		return err
	}
	stays := f.attributes[:0]
	for _, a := range f.attributes {
		ok, err := f.judgeAttribute(&a, l)
		if err != nil {
			return err
		}
		if ok {
			stays = append(stays, a)
		}
	}
	f.attributes = stays
	return f.judgeFields(l)
}

// split splits the attributes. One that is cut off withdraws the routes, which stand before it (RFC 7606 §4, §5.1), unless it is the one with the routes.
// An UPDATE with nothing in it is End-of-RIB for IPv4 (RFC 4724 §2).
func (f *Filter) split(l layout) *Error {
	var cut attribute
	var ok bool
	f.attributes, cut, ok = splitAttributes(f.attributes, f.msg, l.attributes, l.nlri)
	if !ok {
		if cut.typ == attrMPReach || cut.typ == attrMPUnreach {
			return f.attributeError(&cut, rules[cut.typ].subcode, "cut off (RFC 7606 §3 j)")
		}
		f.others = true
		f.withdraw(&cut, UpdateMalformedList, "attributes end inside it (RFC 7606 §4)")
	}
	if len(f.msg) == HeaderLength+4 && f.carried(IPv4Unicast, nil) {
		f.verdict.EndOfRIB = IPv4Unicast
	}
	return nil
}

func familyAt(b []byte) Family { return NewFamily(binary.BigEndian.Uint16(b), b[2]) }

// judgeAttribute reports whether the attribute stays among those that a route carries.
func (f *Filter) judgeAttribute(a *attribute, l layout) (stays bool, err *Error) {
	again := f.seen[a.typ>>6]&(1<<(a.typ&63)) != 0
	f.seen[a.typ>>6] |= 1 << (a.typ & 63)
	if a.typ != attrMPUnreach {
		f.others = true
	}
	r := &rules[a.typ]
	switch {
	case again && (a.typ == attrMPReach || a.typ == attrMPUnreach):
		return false, f.attributeError(a, UpdateMalformedList, "twice (RFC 7606 §3 g)")
	case again:
		f.discard(a, "again (RFC 7606 §3 g)")
		return false, nil
	case f.trusted && a.typ != attrNextHop && a.typ != attrMPReach && a.typ != attrMPUnreach:
		return true, nil
	case r.name == "":
		return f.judgeUnknown(a)
	case a.flags&optionalTransitive == r.flags:
	case a.typ == attrMPReach || a.typ == attrMPUnreach:
		return false, f.attributeError(a, r.subcode, "with wrong flags (RFC 7606 §5.3)")
	case a.typ == attrAIGP:
		f.discard(a, "with wrong flags (RFC 7311 §3.2)")
		return false, nil
	default:
		f.withdraw(a, UpdateFlags, "with wrong flags (RFC 7606 §3 c)")
	}
	if a.flags&^flagExtended != plainFlags(a.flags) {
		f.changed = true
	}
	switch {
	case a.typ == attrMPReach:
		return false, f.judgeReach(a)
	case a.typ == attrMPUnreach:
		return false, f.judgeUnreach(a)
	case a.typ == attrNextHop && l.nlri == len(f.msg):
		f.changed = true // to be ignored (RFC 4760 §3)
		return false, nil
	}
	return f.judgeValue(a, r), nil
}

// judgeValue judges the value of a known attribute.
func (f *Filter) judgeValue(a *attribute, r *rule) (stays bool) {
	if r.from == insideAS && !f.session.Internal {
		f.discard(a, "from another AS ("+r.section+")")
		return false
	}
	wrong := ""
	if r.wrong != nil {
		wrong = r.wrong(f.msg[a.value:a.end], &f.session)
	}
	switch {
	case wrong != "" && r.malformed == Discard:
		f.discard(a, wrong+" ("+r.section+")")
	case wrong != "":
		f.withdraw(a, r.subcode, wrong+" ("+r.section+")")
	case r.from == nowhere:
		f.discard(a, "is not used here")
	case f.session.FourOctetAS && (a.typ == attrAS4Path || a.typ == attrAS4Aggregator):
		f.discard(a, "where AS numbers have four octets (RFC 6793 §4.1)")
	case a.typ == attrNextHop:
		f.nextHop = f.msg[a.value:a.end]
	default:
		return true
	}
	return false
}

// judgeUnknown keeps a transitive attribute for whoever knows it, and drops another one (RFC 4271 §5, §6.3). Our own does not come from outside.
func (f *Filter) judgeUnknown(a *attribute) (stays bool, err *Error) {
	switch {
	case a.flags&flagOptional == 0:
		return false, f.attributeError(a, UpdateUnknownWellKnown, "is well-known to its sender (RFC 4271 §6.3)")
	case a.typ == AttributeHidden && !f.trusted:
		f.discard(a, "is reserved (RFC 2042)")
		return false, nil
	case a.flags&flagTransitive == 0:
		f.changed = true
		return false, nil
	}
	if a.flags&^flagExtended != plainFlags(a.flags) {
		f.changed = true
	}
	return true, nil
}

// judgeReach reads MP_REACH_NLRI (RFC 4760 §3, RFC 7606 §7.11).
//
//	 0         2         3          4
//	+---------+---------+----------+----------+------------+-------+
//	| AFI 16  | SAFI 8  | length 8 | next hop | reserved 8 | NLRI  |
//	+---------+---------+----------+----------+------------+-------+
func (f *Filter) judgeReach(a *attribute) *Error {
	v := f.msg[a.value:a.end]
	if len(v) < 5 || len(v) < 5+int(v[3]) {
		return f.attributeError(a, rules[attrMPReach].subcode, "of %d octets (RFC 7606 §5.3)", len(v))
	}
	family, hop, at := familyAt(v), v[4:4+int(v[3])], 5+int(v[3])
	f.reachable = f.reachable || at < len(v)
	if !f.carried(family, a) {
		return nil
	}
	switch len(hop) {
	case 4, 16:
	case 32: // a link-local address after the global one (RFC 2545 §3)
		hop, f.changed = hop[:16], true
	default:
		return f.attributeError(a, rules[attrMPReach].subcode, "next hop of %d octets (RFC 7606 §7.11)", len(hop))
	}
	if family == IPv4Unicast && len(hop) != 4 {
		return f.attributeError(a, rules[attrMPReach].subcode, "next hop of %d octets for IPv4, RFC 8950 is not negotiated (RFC 7606 §7.11)", len(hop))
	}
	if family != RouteTargets && !hostAddress(hop) {
		f.withdraw(a, UpdateBadNextHop, "next hop is no host's address (RFC 4271 §6.3)")
	}
	return f.judgeList(&f.verdict.Announced, family, hop, a.value+at, a.end, a)
}

// judgeUnreach reads MP_UNREACH_NLRI (RFC 4760 §4, RFC 7606 §7.12): family and NLRI. It is End-of-RIB if there is nothing else (RFC 4724 §2).
func (f *Filter) judgeUnreach(a *attribute) *Error {
	if a.end-a.value < 3 {
		return f.attributeError(a, rules[attrMPUnreach].subcode, "of %d octets (RFC 7606 §5.3)", a.end-a.value)
	}
	family := familyAt(f.msg[a.value:])
	if !f.carried(family, a) {
		return nil
	}
	if a.end-a.value == 3 && a.start == HeaderLength+4 && a.end == len(f.msg) {
		f.verdict.EndOfRIB = family
	}
	return f.judgeList(&f.verdict.Withdrawn, family, nil, a.value+3, a.end, a)
}

// judgeFields reads what is outside of attributes, always IPv4, once the next hop is known, and looks for attributes that are missing.
func (f *Filter) judgeFields(l layout) *Error {
	announces := l.nlri < len(f.msg)
	f.reachable = f.reachable || announces
	if f.reachable && !f.bare {
		for _, t := range []byte{attrOrigin, attrASPath, attrNextHop} {
			if f.seen[0]&(1<<t) == 0 && (t != attrNextHop || announces) {
				f.withdraw(&attribute{typ: t, start: l.attributes, end: l.attributes}, UpdateMissingWellKnown, "missing (RFC 7606 §3 d)")
			}
		}
	}
	if (announces || l.withdrawnEnd > l.withdrawn) && f.carried(IPv4Unicast, nil) {
		if err := f.judgeList(&f.verdict.Withdrawn, IPv4Unicast, nil, l.withdrawn, l.withdrawnEnd, nil); err != nil {
			return err
		}
		return f.judgeList(&f.verdict.Announced, IPv4Unicast, f.nextHop, l.nlri, len(f.msg), nil)
	}
	return nil
}

// carried reports whether the session carries the family; others are left out.
func (f *Filter) carried(family Family, a *attribute) bool {
	known := family == EVPN || family == RouteTargets || family == IPv4Unicast
	if known && (f.trusted || f.session.Has(family)) {
		return true
	}
	at := HeaderLength
	if a != nil {
		at = a.start
	}
	f.verdict.Skipped++
	f.refuse(Skip, "family not negotiated", at, f.msg[at:], "routes of %v, which is not negotiated", family)
	return false
}

// judgeList appends the NLRI of msg[at:end] that can be carried. a is the attribute that they are in, if any.
func (f *Filter) judgeList(list *[]NLRI, family Family, hop []byte, at, end int, a *attribute) *Error {
	for at < end {
		length, bad := nextNLRI(family, f.msg[at:end])
		switch {
		case bad == nil:
			*list = append(*list, NLRI{family, hop, f.msg[at : at+length : at+length]})
		case bad.decision != Reset:
			if bad.decision == Withdraw {
				f.verdict.Withdrawn = append(f.verdict.Withdrawn, NLRI{Family: family, Octets: withoutESI(f.msg[at : at+length])})
			}
			f.verdict.Skipped++
			f.refuse(Skip, bad.what, at, f.msg[at:at+length], "%s", bad.text)
		case a == nil:
			return &Error{Code: UpdateError, Subcode: UpdateInvalidNetwork, Offset: at, Octets: keep(f.msg[at:end]), Text: "UPDATE: " + bad.text}
		default:
			err := f.attributeError(a, UpdateOptionalAttribute, "%s", bad.text)
			err.Offset, err.Octets = at, keep(f.msg[at:end])
			return err
		}
		at += length
	}
	return nil
}

// attributeError is an error whose NOTIFICATION has the attribute as data (RFC 4271 §6.3).
func (f *Filter) attributeError(a *attribute, subcode uint8, format string, args ...any) *Error {
	e := &Error{
		Code: UpdateError, Subcode: subcode, Offset: a.start, Octets: keep(f.msg[a.start:a.end]),
		Text: "UPDATE: " + a.name() + " " + fmt.Sprintf(format, args...),
	}
	switch subcode {
	case UpdateMissingWellKnown:
		e.Data = []byte{a.typ}
	case UpdateMalformedList, UpdateMalformedASPath: // have none
	default:
		e.Data = append([]byte(nil), f.msg[a.start:a.end]...)
	}
	return e
}

func (f *Filter) discard(a *attribute, why string) {
	f.refuse(Discard, a.name(), a.start, f.msg[a.start:a.end], "%s %s", a.name(), why)
}

// withdraw treats the UPDATE as a withdrawal. The first reason is kept, in case that there is nothing to withdraw.
func (f *Filter) withdraw(a *attribute, subcode uint8, why string) {
	if f.invalid == nil {
		f.invalid = f.attributeError(a, subcode, "%s", why)
	}
	f.refuse(Withdraw, a.name(), a.start, f.msg[a.start:a.end], "%s %s", a.name(), why)
}

func (f *Filter) refuse(d Decision, what string, at int, octets []byte, format string, args ...any) {
	f.changed = true
	f.verdict.Decision = max(f.verdict.Decision, d)
	if len(f.verdict.Refusals) < maxRefusals {
		f.verdict.Refusals = append(f.verdict.Refusals, Refusal{d, what, fmt.Sprintf(format, args...), at, keep(octets)})
	}
}
