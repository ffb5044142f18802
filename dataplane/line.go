package dataplane

// line is records that wait, in the order in which they came. Its memory is used again.
type line struct {
	all   []*record
	taken int // of all
}

func (l *line) len() int { return len(l.all) - l.taken }

func (l *line) add(rec *record) { l.all = append(l.all, rec) }

// first is the first so many, which there must be, until the next call of another method.
func (l *line) first(n int) []*record { return l.all[l.taken : l.taken+n] }

// drop takes the first so many away. What is taken away is let go of when it is half of all.
func (l *line) drop(n int) {
	clear(l.first(n))
	if l.taken += n; l.taken > len(l.all)/2 {
		left := copy(l.all, l.all[l.taken:])
		clear(l.all[left:])
		l.all, l.taken = l.all[:left], 0
	}
}
