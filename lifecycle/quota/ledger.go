package quota

import (
	"bytes"
	"cmp"
	"slices"
)

// Ledger is who holds what. H names a holder. It is not safe for concurrent use.
type Ledger[H comparable] struct {
	limit    func(Account) uint64
	accounts map[Account]*account
	numbered []*account // by their number
	free     []uint32   // numbers
	holders  map[H]*holder
	items    items
	room     []unit // in which claims are sorted
}

// account is how much is held of it.
type account struct {
	Account
	number uint32
	used   uint64
	crowds map[Item]crowd // nil where an item has few holders
}

// holder is what somebody holds, sorted.
type holder struct {
	units []unit
}

// unit is so much of one item of one account. There are some of each VM, so they have no pointer for the collector to follow.
type unit struct {
	amount  uint64
	account uint32 // its number
	item    Item
}

func compareUnits(a, b *unit) int {
	if a.account != b.account {
		return cmp.Compare(a.account, b.account)
	}
	if c := bytes.Compare(a.item.VM[:], b.item.VM[:]); c != 0 {
		return c
	}
	if a.item.VNI != b.item.VNI {
		return cmp.Compare(a.item.VNI, b.item.VNI)
	}
	return bytes.Compare(a.item.MAC[:], b.item.MAC[:])
}

// New makes a ledger in which nothing is held. Limit is an account's limit, 0 for none.
func New[H comparable](limit func(Account) uint64) *Ledger[H] {
	return &Ledger[H]{limit: limit, accounts: map[Account]*account{}, holders: map[H]*holder{}, items: newItems()}
}

// Check is which limits stand against the holder having just want instead of what it holds, sorted; none if it may. An account that would not grow is never in
// the way.
func (l *Ledger[H]) Check(h H, want []Claim) []Excess {
	if !slices.ContainsFunc(want, func(c Claim) bool { return l.limit(c.Account) > 0 }) {
		return nil // where nothing is limited there is nothing to reckon up
	}
	units := l.units(want)
	defer l.closeEmpty(units)
	return l.check(l.holders[h], units)
}

func (l *Ledger[H]) check(h *holder, want []unit) (excesses []Excess) {
	after := map[*account]uint64{}
	for _, u := range want {
		after[l.numbered[u.account]] += l.alone(h, &u)
	}
	for _, u := range h.all() {
		after[l.numbered[u.account]] -= l.alone(h, &u)
	}
	for a, more := range after {
		if limit, n := l.limit(a.Account), a.used+more; limit > 0 && n > limit && n > a.used {
			excesses = append(excesses, Excess{a.Account, limit, a.used, n})
		}
	}
	slices.SortFunc(excesses, func(a, b Excess) int { return compareAccounts(a.Account, b.Account) })
	return excesses
}

// Reserve holds want beside what the holder has, if it may have just want instead of that; else nothing changes, and the answer is Check's. What was held
// before and is not wanted any more stays until Keep, so that nobody else takes what the holder may have to come back to.
func (l *Ledger[H]) Reserve(h H, want []Claim) []Excess {
	if excesses := l.Check(h, want); len(excesses) > 0 {
		return excesses
	}
	l.hold(h, mostOfEach(append(l.units(want), l.holders[h].all()...)))
	return nil
}

// Keep makes the holder hold just that, whatever the limits are.
func (l *Ledger[H]) Keep(h H, keep []Claim) { l.hold(h, l.units(keep)) }

// Release makes the holder hold nothing.
func (l *Ledger[H]) Release(h H) { l.Keep(h, nil) }

// Used is how much of an account is reserved.
func (l *Ledger[H]) Used(a Account) uint64 {
	if acc := l.accounts[a]; acc != nil {
		return acc.used
	}
	return 0
}

// Usage is all accounts of which something is reserved, sorted.
func (l *Ledger[H]) Usage() []Usage {
	all := make([]Usage, 0, len(l.accounts))
	for a, acc := range l.accounts {
		all = append(all, Usage{a, acc.used, l.limit(a)})
	}
	slices.SortFunc(all, func(a, b Usage) int { return compareAccounts(a.Account, b.Account) })
	return all
}

// units is the claims, sorted, in memory that the next call uses again; their accounts are open. Of two for one item the larger counts, and none of nothing does.
func (l *Ledger[H]) units(claims []Claim) []unit {
	l.room = l.room[:0]
	for i := range claims {
		if c := &claims[i]; c.Amount > 0 {
			l.room = append(l.room, unit{c.Amount, l.open(c.Account).number, c.Item})
		}
	}
	return mostOfEach(l.room)
}

// mostOfEach sorts units; of several of one item the largest is left.
func mostOfEach(all []unit) []unit {
	slices.SortFunc(all, func(a, b unit) int {
		if c := compareUnits(&a, &b); c != 0 {
			return c
		}
		return cmp.Compare(b.amount, a.amount)
	})
	return slices.CompactFunc(all, func(a, b unit) bool { return compareUnits(&a, &b) == 0 })
}

// open finds or makes an account.
func (l *Ledger[H]) open(a Account) *account {
	acc := l.accounts[a]
	if acc == nil {
		acc = &account{Account: a}
		if a.Resource.crowded() {
			acc.crowds = map[Item]crowd{}
		}
		if last := len(l.free) - 1; last >= 0 {
			acc.number, l.free = l.free[last], l.free[:last]
			l.numbered[acc.number] = acc
		} else {
			acc.number = uint32(len(l.numbered))
			l.numbered = append(l.numbered, acc)
		}
		l.accounts[a] = acc
	}
	return acc
}

// closeEmpty forgets the accounts of units of which nothing is held.
func (l *Ledger[H]) closeEmpty(units []unit) {
	for _, u := range units {
		if a := l.numbered[u.account]; a != nil && a.used == 0 {
			delete(l.accounts, a.Account)
			l.numbered[u.account] = nil
			l.free = append(l.free, u.account)
		}
	}
}

// hold makes the holder hold just the units.
func (l *Ledger[H]) hold(key H, next []unit) {
	h := l.holders[key]
	if h == nil {
		h = &holder{}
		l.holders[key] = h
	}
	before := h.units
	if !slices.Equal(before, next) {
		l.exchange(h, next)
		h.units = slices.Clone(next)
		l.letGo(h, before)
		l.closeEmpty(before)
	}
	if len(next) == 0 {
		delete(l.holders, key)
	}
}

// exchange gives the holder the units in the place of those that it has.
func (l *Ledger[H]) exchange(h *holder, next []unit) {
	before := h.units
	for len(before) > 0 || len(next) > 0 {
		order := -1
		switch {
		case len(before) == 0:
			order = 1
		case len(next) > 0:
			order = compareUnits(&before[0], &next[0])
		}
		var had, has uint64
		u := &unit{}
		if order <= 0 {
			u, had, before = &before[0], before[0].amount, before[1:]
		}
		if order >= 0 {
			u, has, next = &next[0], next[0].amount, next[1:]
		}
		if had != has {
			l.give(h, u, had, has)
		}
	}
}
