package quota

import "slices"

// items is who holds an item, whatever the account: nearly always one, or two of which one takes it over. So what of an item is whose is found in what that
// holder holds, and no account has a list of its items.
type items struct {
	first map[Item]*holder
	more  map[Item][]*holder // beside the first
}

func newItems() items { return items{map[Item]*holder{}, map[Item][]*holder{}} }

// add has the item be held by one more, if it is not yet.
func (all *items) add(i Item, h *holder) {
	switch first := all.first[i]; {
	case first == nil:
		all.first[i] = h
	case first != h && !slices.Contains(all.more[i], h):
		all.more[i] = append(all.more[i], h)
	}
}

// drop has it be held by one less.
func (all *items) drop(i Item, h *holder) {
	more := all.more[i]
	switch {
	case all.first[i] != h:
		more = slices.DeleteFunc(more, func(other *holder) bool { return other == h })
	case len(more) == 0:
		delete(all.first, i)
		return
	default:
		all.first[i], more = more[0], more[1:]
	}
	if len(more) == 0 {
		delete(all.more, i)
	} else {
		all.more[i] = more
	}
}

// crowd is how many hold so much of one item: for what has one item for very many holders, as a VID has.
type crowd map[uint64]int

// most is the largest share, without one of so much.
func (c crowd) most(but uint64) (n uint64) {
	for amount, holders := range c {
		if amount == but {
			holders--
		}
		if holders > 0 {
			n = max(n, amount)
		}
	}
	return n
}

func (c crowd) count(amount uint64, by int) {
	if amount == 0 {
		return
	}
	if c[amount] += by; c[amount] == 0 {
		delete(c, amount)
	}
}

// crowded reports whether one item of the resource has many holders: all VMs of a VN on a port share its VID.
func (r Resource) crowded() bool { return r == VIDs }

// give makes a holder have so much of the unit's item in place of what it had, 0 for nothing.
func (l *Ledger[H]) give(h *holder, u *unit, had, has uint64) {
	a, others := l.numbered[u.account], l.others(h, u)
	a.used += max(has, others) - max(had, others)
	if a.crowds == nil {
		if has > 0 {
			l.items.add(u.item, h)
		}
		return
	}
	c := a.crowds[u.item]
	if c == nil {
		c = crowd{}
		a.crowds[u.item] = c
	}
	c.count(had, -1)
	c.count(has, 1)
	if len(c) == 0 {
		delete(a.crowds, u.item)
	}
}

// letGo has the items of which the holder holds nothing any more be without it.
func (l *Ledger[H]) letGo(h *holder, before []unit) {
	for i := range before {
		if item := before[i].item; !slices.ContainsFunc(h.units, func(u unit) bool { return u.item == item && l.numbered[u.account].crowds == nil }) {
			l.items.drop(item, h)
		}
	}
}

// alone is how much of the unit's item counts for its holder alone.
func (l *Ledger[H]) alone(h *holder, u *unit) uint64 {
	others := l.others(h, u)
	return max(u.amount, others) - others
}

// others is how much of the unit's item counts without the holder.
func (l *Ledger[H]) others(h *holder, u *unit) (n uint64) {
	if crowds := l.numbered[u.account].crowds; crowds != nil {
		return crowds[u.item].most(h.amount(u))
	}
	if first := l.items.first[u.item]; first != h {
		n = first.amount(u)
	}
	if len(l.items.more) > 0 {
		for _, other := range l.items.more[u.item] {
			if other != h {
				n = max(n, other.amount(u))
			}
		}
	}
	return n
}

// all is what is held, also by nobody.
func (h *holder) all() []unit {
	if h == nil {
		return nil
	}
	return h.units
}

// amount is how much is held of the item of the account that a unit names.
func (h *holder) amount(u *unit) uint64 {
	if at, found := slices.BinarySearchFunc(h.all(), u, func(held unit, u *unit) int { return compareUnits(&held, u) }); found {
		return h.units[at].amount
	}
	return 0
}
