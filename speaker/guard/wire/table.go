package wire

import "iter"

// Table holds routes compactly: what a peer sent, or what it was sent. It is not safe for concurrent use; the attributes that its routes share are shared
// among all tables of the process.
type Table struct {
	families map[Family]map[string]entry // by the route's key; see splitKey
	age      uint32
}

type entry struct {
	rest       string // of the NLRI, in one piece of memory with the key
	attributes Attributes
	age        uint32
}

// NewTable is an empty table.
func NewTable() *Table { return &Table{families: make(map[Family]map[string]entry)} }

// Apply brings changes in, marks the routes that they announce as renewed, and returns those changes that made a difference: not an announcement with
// the attributes and NLRI that stand, and not a withdrawal of what is not there.
func (t *Table) Apply(changes []Change) (different []Change) {
	for _, c := range changes {
		if t.Set(c) {
			different = append(different, c)
		}
	}
	return different
}

// Set is Apply of one change.
func (t *Table) Set(c Change) (different bool) {
	_, _, different = t.swap(c, false)
	return different
}

// Swap is Set, and where it made a difference it tells which route it was, and the attributes that it had: none if it was not there.
func (t *Table) Swap(c Change) (k RouteKey, old Attributes, different bool) { return t.swap(c, true) }

func (t *Table) swap(c Change, tell bool) (k RouteKey, was Attributes, different bool) {
	var scratch [64]byte
	b, n := splitKey(scratch[:0], c.Family, c.NLRI)
	routes := t.families[c.Family]
	old, ok := routes[string(b[:n])]
	if c.Withdrawal() {
		delete(routes, string(b[:n]))
		if ok && tell {
			k = RouteKey{c.Family, string(b[:n])}
		}
		return k, old.attributes, ok
	}
	same := ok && old.attributes == c.Attributes && old.rest == string(b[n:])
	if same && old.age == t.age {
		return k, old.attributes, false
	}
	if same {
		c.Attributes = old.attributes // the memory that it may share with other tables
	}
	if routes == nil {
		routes = make(map[string]entry)
		t.families[c.Family] = routes
	}
	text := string(b)
	routes[text[:n]] = entry{text[n:], c.Attributes, t.age}
	return RouteKey{c.Family, text[:n]}, old.attributes, !same
}

// At is the announcement of a route, if it is there.
func (t *Table) At(k RouteKey) (c Change, ok bool) {
	e, ok := t.families[k.family][k.octets]
	if !ok {
		return Change{}, false
	}
	return Change{k.family, joinKey(k.family, k.octets, e.rest), e.attributes}, true
}

// Age makes every route stale until it is announced again.
func (t *Table) Age() { t.age++ }

// Sweep removes the family's routes that are stale, and returns their withdrawals.
func (t *Table) Sweep(f Family) (withdrawn []Change) { return t.Apply(t.Stale(f)) }

// Stale is the withdrawals of the family's routes that are stale.
func (t *Table) Stale(f Family) (withdrawals []Change) {
	for key, e := range t.families[f] {
		if e.age != t.age {
			withdrawals = append(withdrawals, Change{Family: f, NLRI: joinKey(f, key, e.rest)})
		}
	}
	return withdrawals
}

// All is every route, as announcements, in no order.
func (t *Table) All() iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for f, routes := range t.families {
			for key, e := range routes {
				if !yield(Change{f, joinKey(f, key, e.rest), e.attributes}) {
					return
				}
			}
		}
	}
}

// Len is the number of a family's routes.
func (t *Table) Len(f Family) int { return len(t.families[f]) }

// Diff is what makes old into new, announcements first. Either may be nil: an empty table.
func Diff(old, new *Table) (changes []Change) {
	if old == nil {
		old = NewTable()
	}
	if new == nil {
		new = NewTable()
	}
	for f, routes := range new.families {
		for key, e := range routes {
			if o, ok := old.families[f][key]; !ok || o.attributes != e.attributes || o.rest != e.rest {
				changes = append(changes, Change{f, joinKey(f, key, e.rest), e.attributes})
			}
		}
	}
	for f, routes := range old.families {
		for key, e := range routes {
			if _, ok := new.families[f][key]; !ok {
				changes = append(changes, Change{Family: f, NLRI: joinKey(f, key, e.rest)})
			}
		}
	}
	return changes
}
