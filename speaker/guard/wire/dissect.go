package wire

// Dissection is an UPDATE taken apart for people: all that can be told of it, whatever is wrong with it. Nothing is judged, and no value is checked; it
// points into the message.
type Dissection struct {
	Withdrawn  []NLRI
	Announced  []NLRI // with the next hop as it came, of any length; nil where there is none
	Attributes []Attribute
	EndOfRIB   Family // 0: it is none
	Unread     []Unread
}

// Attribute is one path attribute as it came.
type Attribute struct {
	Flags, Type uint8
	Value       []byte
}

// Unread is octets that cannot be told apart.
type Unread struct {
	What   string // they are, such as "MP_REACH_NLRI cut off"
	Octets []byte
}

// Dissect takes a whole UPDATE apart, also one that is longer than MaxLength (RFC 8654).
func Dissect(msg []byte) *Dissection {
	d := &Dissection{}
	if len(msg) < HeaderLength+4 {
		d.unread("UPDATE cut off", msg)
		return d
	}
	l, err := layoutOf(msg)
	if err != nil {
		d.unread(err.Text, msg[HeaderLength:])
		return d
	}
	if len(msg) == HeaderLength+4 {
		d.EndOfRIB = IPv4Unicast
	}
	list, cut, ok := splitAttributes(nil, msg, l.attributes, l.nlri)
	d.split(&d.Withdrawn, IPv4Unicast, nil, msg[l.withdrawn:l.withdrawnEnd])
	var hop []byte
	for _, a := range list {
		v := msg[a.value:a.end]
		d.Attributes = append(d.Attributes, Attribute{Flags: a.flags, Type: a.typ, Value: v})
		switch a.typ {
		case attrNextHop:
			hop = v
		case attrMPReach:
			d.reach(v)
		case attrMPUnreach:
			d.unreach(v, a.start == HeaderLength+4 && a.end == len(msg))
		}
	}
	if !ok {
		d.unread(cut.name()+" cut off", msg[cut.start:cut.end])
	}
	d.split(&d.Announced, IPv4Unicast, hop, msg[l.nlri:])
	return d
}

func (d *Dissection) unread(what string, octets []byte) {
	d.Unread = append(d.Unread, Unread{What: what, Octets: octets})
}

// reach takes MP_REACH_NLRI apart (RFC 4760 §3).
func (d *Dissection) reach(v []byte) {
	if len(v) < 5 || len(v) < 5+int(v[3]) {
		d.unread(rules[attrMPReach].name+" cut off", v)
		return
	}
	d.split(&d.Announced, familyAt(v), v[4:4+int(v[3])], v[5+int(v[3]):])
}

// unreach takes MP_UNREACH_NLRI apart (RFC 4760 §4). Alone and without NLRI it is End-of-RIB (RFC 4724 §2).
func (d *Dissection) unreach(v []byte, alone bool) {
	if len(v) < 3 {
		d.unread(rules[attrMPUnreach].name+" cut off", v)
		return
	}
	if len(v) == 3 && alone {
		d.EndOfRIB = familyAt(v)
	}
	d.split(&d.Withdrawn, familyAt(v), nil, v[3:])
}

// split appends the NLRI of a list, well-formed or not, up to where the next one cannot be found.
func (d *Dissection) split(list *[]NLRI, family Family, hop, b []byte) {
	if len(b) > 0 && family != EVPN && family != RouteTargets && family != IPv4Unicast {
		d.unread("NLRI of "+family.String(), b)
		return
	}
	for len(b) > 0 {
		length, bad := nextNLRI(family, b)
		if length == 0 {
			d.unread(bad.text, b)
			return
		}
		*list = append(*list, NLRI{Family: family, NextHop: hop, Octets: b[:length:length]})
		b = b[length:]
	}
}
