package quota

import "slices"

// Ledger is who holds what. H names a holder. It is not safe for concurrent use.
type Ledger[H comparable] struct {
	limit    func(Account) uint64
	accounts map[Account]*account[H]
	held     map[H]map[unit]uint64
}

// unit is one item of one account.
type unit struct {
	Account
	Item
}

// account is an account's items and the sum of them.
type account[H comparable] struct {
	used  uint64
	items map[Item][]share[H]
}

// share is how much of an item a holder has.
type share[H comparable] struct {
	holder H
	amount uint64
}

// New makes a ledger in which nothing is held. Limit is an account's limit, 0 for none.
func New[H comparable](limit func(Account) uint64) *Ledger[H] {
	return &Ledger[H]{limit: limit, accounts: map[Account]*account[H]{}, held: map[H]map[unit]uint64{}}
}

// Check is which limits stand against the holder having just want instead of what it holds, sorted; none if it may. An account that would not grow is never in
// the way.
func (l *Ledger[H]) Check(h H, want []Claim) []Excess {
	if !slices.ContainsFunc(want, func(c Claim) bool { return l.limit(c.Account) > 0 }) {
		return nil // where nothing is limited there is nothing to reckon up
	}
	after := map[Account]uint64{} // without what the holder has alone
	for u := range l.held[h] {
		if _, ok := after[u.Account]; !ok {
			after[u.Account] = l.accounts[u.Account].used
		}
		after[u.Account] -= l.own(h, u)
	}
	for u, amount := range units(want) {
		if _, ok := after[u.Account]; !ok {
			after[u.Account] = l.Used(u.Account)
		}
		after[u.Account] += amount - min(amount, l.others(h, u))
	}
	var excesses []Excess
	for a, n := range after {
		if limit, used := l.limit(a), l.Used(a); limit > 0 && n > limit && n > used {
			excesses = append(excesses, Excess{a, limit, used, n})
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
	for u, amount := range units(want) {
		l.set(h, u, max(amount, l.held[h][u]))
	}
	return nil
}

// Keep makes the holder hold just that, whatever the limits are.
func (l *Ledger[H]) Keep(h H, keep []Claim) {
	kept := units(keep)
	for u := range l.held[h] {
		if _, ok := kept[u]; !ok {
			l.set(h, u, 0)
		}
	}
	for u, amount := range kept {
		l.set(h, u, amount)
	}
}

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

// units is the claims by item; of two for one item the larger counts.
func units(claims []Claim) map[unit]uint64 {
	us := make(map[unit]uint64, len(claims))
	for _, c := range claims {
		u := unit{c.Account, c.Item}
		us[u] = max(us[u], c.Amount)
	}
	return us
}

// others is how much of a unit counts without the holder.
func (l *Ledger[H]) others(h H, u unit) (n uint64) {
	if acc := l.accounts[u.Account]; acc != nil {
		for _, s := range acc.items[u.Item] {
			if s.holder != h {
				n = max(n, s.amount)
			}
		}
	}
	return n
}

// own is how much of a unit counts for the holder alone.
func (l *Ledger[H]) own(h H, u unit) uint64 {
	held := l.held[h][u]
	return held - min(held, l.others(h, u))
}

// set makes the holder hold so much of a unit, 0 for nothing.
func (l *Ledger[H]) set(h H, u unit, amount uint64) {
	if l.held[h][u] == amount {
		return
	}
	acc := l.accounts[u.Account]
	if acc == nil {
		acc = &account[H]{items: map[Item][]share[H]{}}
		l.accounts[u.Account] = acc
	}
	acc.used -= l.own(h, u)
	shares := slices.DeleteFunc(acc.items[u.Item], func(s share[H]) bool { return s.holder == h })
	if l.held[h] == nil {
		l.held[h] = map[unit]uint64{}
	}
	if amount == 0 {
		delete(l.held[h], u)
	} else {
		l.held[h][u] = amount
		shares = append(shares, share[H]{h, amount})
	}
	acc.items[u.Item] = shares
	acc.used += l.own(h, u)
	if len(l.held[h]) == 0 {
		delete(l.held, h)
	}
	if len(shares) == 0 {
		delete(acc.items, u.Item)
	}
	if len(acc.items) == 0 {
		delete(l.accounts, u.Account)
	}
}
