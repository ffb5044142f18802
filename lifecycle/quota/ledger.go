package quota

import (
	"bytes"
	"cmp"
	"slices"
)

// Ledger is who holds what. H names a holder. It is not safe for concurrent use.
type Ledger[H comparable] struct {
	limit    func(Account) uint64
	accounts map[Account]*account[H]
	holders  map[H]*holder[H]
	opened   uint64    // accounts, so far
	room     []unit[H] // in which claims are sorted
}

// account is an account's items and the sum of them.
type account[H comparable] struct {
	Account
	number uint64 // in the order in which they were opened
	used   uint64
	items  map[Item][]share[H]
}

// share is how much of an item a holder has.
type share[H comparable] struct {
	holder *holder[H]
	amount uint64
}

// holder is what somebody holds, sorted.
type holder[H comparable] struct {
	units []unit[H]
}

// unit is so much of one item of one account.
type unit[H comparable] struct {
	*account[H]
	item   Item
	amount uint64
}

func compareUnits[H comparable](a, b unit[H]) int {
	return cmp.Or(cmp.Compare(a.number, b.number), bytes.Compare(a.item.VM[:], b.item.VM[:]), cmp.Compare(a.item.VNI, b.item.VNI), bytes.Compare(a.item.MAC[:], b.item.MAC[:]))
}

// New makes a ledger in which nothing is held. Limit is an account's limit, 0 for none.
func New[H comparable](limit func(Account) uint64) *Ledger[H] {
	return &Ledger[H]{limit: limit, accounts: map[Account]*account[H]{}, holders: map[H]*holder[H]{}}
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

func (l *Ledger[H]) check(h *holder[H], want []unit[H]) (excesses []Excess) {
	after := map[*account[H]]uint64{}
	for _, u := range want {
		after[u.account] += max(u.amount, u.others(h)) - u.others(h)
	}
	for _, u := range h.all() {
		after[u.account] -= max(u.amount, u.others(h)) - u.others(h) // what it has alone
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
func (l *Ledger[H]) units(claims []Claim) []unit[H] {
	l.room = l.room[:0]
	for _, c := range claims {
		if c.Amount > 0 {
			l.room = append(l.room, unit[H]{l.open(c.Account), c.Item, c.Amount})
		}
	}
	return mostOfEach(l.room)
}

// mostOfEach sorts units; of several of one item the largest is left.
func mostOfEach[H comparable](all []unit[H]) []unit[H] {
	slices.SortFunc(all, func(a, b unit[H]) int { return cmp.Or(compareUnits(a, b), cmp.Compare(b.amount, a.amount)) })
	return slices.CompactFunc(all, func(a, b unit[H]) bool { return compareUnits(a, b) == 0 })
}

// open finds or makes an account.
func (l *Ledger[H]) open(a Account) *account[H] {
	acc := l.accounts[a]
	if acc == nil {
		l.opened++
		acc = &account[H]{Account: a, number: l.opened, items: map[Item][]share[H]{}}
		l.accounts[a] = acc
	}
	return acc
}

// closeEmpty forgets the accounts of units of which nothing is held.
func (l *Ledger[H]) closeEmpty(units []unit[H]) {
	for _, u := range units {
		if len(u.items) == 0 {
			delete(l.accounts, u.Account)
		}
	}
}

// hold makes the holder hold just the units.
func (l *Ledger[H]) hold(key H, next []unit[H]) {
	h := l.holders[key]
	if h == nil {
		h = &holder[H]{}
		l.holders[key] = h
	}
	before := h.units
	if slices.Equal(before, next) {
		next = before
	} else {
		h.units = slices.Clone(next)
	}
	for i, j := 0, 0; i < len(before) || j < len(next); {
		order := -1
		switch {
		case i == len(before):
			order = 1
		case j < len(next):
			order = compareUnits(before[i], next[j])
		}
		switch {
		case order < 0:
			before[i].give(h, 0)
			i++
		case order > 0:
			next[j].give(h, next[j].amount)
			j++
		default:
			if before[i].amount != next[j].amount {
				next[j].give(h, next[j].amount)
			}
			i, j = i+1, j+1
		}
	}
	l.closeEmpty(before)
	if len(next) == 0 {
		delete(l.holders, key)
	}
}

// give makes a holder have so much of the unit's item, 0 for nothing.
func (u unit[H]) give(h *holder[H], amount uint64) {
	shares := u.items[u.item]
	u.used -= most(shares, nil)
	if at := slices.IndexFunc(shares, func(s share[H]) bool { return s.holder == h }); at >= 0 {
		shares = slices.Delete(shares, at, at+1)
	}
	if amount > 0 {
		shares = append(shares, share[H]{h, amount})
	}
	u.used += most(shares, nil)
	if len(shares) == 0 {
		delete(u.items, u.item)
	} else {
		u.items[u.item] = shares
	}
}

// others is how much of the unit's item counts without the holder.
func (u unit[H]) others(h *holder[H]) uint64 { return most(u.items[u.item], h) }

// most is the largest share, without that of one.
func most[H comparable](shares []share[H], but *holder[H]) (n uint64) {
	for _, s := range shares {
		if but == nil || s.holder != but {
			n = max(n, s.amount)
		}
	}
	return n
}

// all is what is held, also by nobody.
func (h *holder[H]) all() []unit[H] {
	if h == nil {
		return nil
	}
	return h.units
}
