package wire

import (
	"encoding/binary"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// emit writes what is left of the message. An error resets the session.
func (f *Filter) emit() *Error {
	v := &f.verdict
	if v.Decision == Withdraw {
		if !f.reachable && f.others {
			f.invalid.Text += ", and no NLRI to withdraw (RFC 7606 §5.2)"
			return f.invalid
		}
		v.Withdrawn = append(v.Withdrawn, v.Announced...)
		v.Announced = v.Announced[:0]
	}
	if len(v.Announced) > 0 {
		f.writeAttributes()
	} else if f.others { // nobody's: withdrawals have no attributes
		f.changed = true
	}
	if f.loop { // no error, but no route (RFC 4271 §9.1.2, RFC 4456 §8)
		f.changed = true
		v.Withdrawn, v.Announced, v.Attributes = append(v.Withdrawn, v.Announced...), v.Announced[:0], nil
	}
	if len(v.Announced) > 0 && len(v.Withdrawn) > 0 {
		f.changed = true
		v.Withdrawn = without(v.Withdrawn, v.Announced)
	}
	switch {
	case len(v.Announced)+len(v.Withdrawn) == 0 && v.EndOfRIB == 0: // nothing is left, and an empty UPDATE would be an End-of-RIB
	case !f.changed:
		v.Forward = append(v.Forward, f.msg)
	default:
		f.rewrite()
	}
	return nil
}

// rewrite writes End-of-RIB, or withdrawals and then announcements. Routes whose attributes grew too long for a message are withdrawn instead.
func (f *Filter) rewrite() {
	v, w := &f.verdict, &f.writer
	if v.EndOfRIB != 0 {
		w.b = AppendEndOfRIB(w.b, v.EndOfRIB)
		v.Forward = append(v.Forward, w.b)
		return
	}
	for {
		w.withdraw(v.Withdrawn)
		if w.announce(v.Announced, v.Attributes) {
			break
		}
		f.refuse(Withdraw, "too long", HeaderLength, f.msg[HeaderLength:], "%d octets of attributes, too long for a message to GoBGP", len(v.Attributes))
		v.Withdrawn, v.Announced = append(v.Withdrawn, v.Announced...), v.Announced[:0]
		*w = w.empty()
	}
	v.Forward = w.messages(v.Forward)
}

// writeAttributes writes the attributes that stay as GoBGP is to see them. It looks for loops on the way: GoBGP leaves out routes that have been here, but its
// watchers are not told that what they replace is gone.
func (f *Filter) writeAttributes() {
	b := f.values
	path, aggregator := f.wideNumbers()
	for i := range f.attributes {
		a := &f.attributes[i]
		v := f.msg[a.value:a.end]
		switch {
		case f.trusted:
			b = appendAttribute(b, a.flags, a.typ, v)
		case a.typ == attrExtended:
			var hidden int
			var changed bool
			b, hidden, changed = appendCommunities(b, a.flags, v)
			f.verdict.Hidden += hidden
			f.changed = f.changed || changed
		case a.typ == attrOriginatorID:
			f.loop = f.loop || evpn.RouterID(binary.BigEndian.Uint32(v)) == f.session.RouterID && f.session.RouterID != 0
			b = appendAttribute(b, a.flags, a.typ, v)
		case f.session.FourOctetAS:
			f.loop = f.loop || a.typ == attrASPath && passes(v, f.session.AS)
			b = appendAttribute(b, a.flags, a.typ, v)
		case a.typ == attrASPath:
			wide := appendWidePath(nil, v, path)
			f.loop = f.loop || passes(wide, f.session.AS)
			b = appendAttribute(b, a.flags, a.typ, wide)
			f.changed = true
		case a.typ == attrAggregator && aggregator != nil:
			b = appendAttribute(b, a.flags, a.typ, aggregator)
			f.changed = true
		case a.typ == attrAggregator:
			b = appendAttribute(b, a.flags, a.typ, append([]byte{0, 0}, v...))
			f.changed = true
		case a.typ == attrAS4Path || a.typ == attrAS4Aggregator:
			f.changed = true
		default:
			b = appendAttribute(b, a.flags, a.typ, v)
		}
	}
	f.values, f.verdict.Attributes = b, b
}

// wideNumbers are the values of AS4_PATH and AS4_AGGREGATOR that count: none, if there is an AS4_AGGREGATOR beside an AGGREGATOR with another AS number than
// AS_TRANS (RFC 6793 §4.2.3).
func (f *Filter) wideNumbers() (path, aggregator []byte) {
	if f.session.FourOctetAS {
		return nil, nil
	}
	mapped := false // AGGREGATOR tells the AS number itself
	for _, a := range f.attributes {
		v := f.msg[a.value:a.end]
		switch a.typ {
		case attrAggregator:
			mapped = asNumber(v, 2) != asTrans
		case attrAS4Path:
			path = v
		case attrAS4Aggregator:
			aggregator = v
		}
	}
	if mapped && aggregator != nil {
		return nil, nil
	}
	return path, aggregator
}

// without is the withdrawn routes that are not announced by the same UPDATE (RFC 4271 §4.3).
func without(withdrawn, announced []NLRI) []NLRI {
	keys := make(map[RouteKey]bool, len(announced))
	key := func(n NLRI) RouteKey { return Change{Family: n.Family, NLRI: string(n.Octets)}.Key() }
	for _, n := range announced {
		keys[key(n)] = true
	}
	return slices.DeleteFunc(withdrawn, func(n NLRI) bool { return keys[key(n)] })
}
