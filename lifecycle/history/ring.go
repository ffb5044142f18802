package history

// ring holds the newest of something, up to a limit. It grows as needed and then overwrites the oldest.
type ring[T any] struct {
	limit  int
	all    []T
	oldest int // index of the oldest; 0 until the ring is full
}

func (r *ring[T]) push(v T) {
	if n := len(r.all); n < r.limit {
		if n == cap(r.all) { // in small steps: there are many small rings
			r.all = append(make([]T, 0, min(r.limit, n+max(4, n/4))), r.all...)
		}
		r.all = append(r.all, v)
		return
	}
	r.all[r.oldest] = v
	r.oldest = (r.oldest + 1) % r.limit
}

// at is the i-th, 0 being the oldest.
func (r *ring[T]) at(i int) T { return r.all[(r.oldest+i)%len(r.all)] }

func (r *ring[T]) len() int { return len(r.all) }

// newest copies up to n of the newest, oldest first.
func (r *ring[T]) newest(n int) []T {
	n = min(max(n, 0), len(r.all))
	all := make([]T, n)
	for i := range all {
		all[i] = r.at(len(r.all) - n + i)
	}
	return all
}
