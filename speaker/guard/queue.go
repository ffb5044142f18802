package guard

import "github.com/tns-project/tns/speaker/guard/wire"

// queue is what one side is still to be told: of each route only the newest state, in the order in which the routes became due, with End-of-RIB marks
// between them. It never holds more than one change a route, so a reader that is slow, or none at all, costs no more than the table does.
type queue struct {
	order  []due
	head   int // of order
	newest map[routeKey]wire.Change
}

// due is a place in the queue: a route, or a mark where end is not 0.
type due struct {
	route routeKey
	end   wire.Family
}

// routeKey is a route's family and NLRI without what is an attribute of the route.
type routeKey struct {
	family wire.Family
	octets string
}

func newQueue() *queue { return &queue{newest: make(map[routeKey]wire.Change)} }

// put makes changes due; one of a route that is due already takes the place that the route has.
func (q *queue) put(changes ...wire.Change) {
	for _, c := range changes {
		k := keyOf(c)
		if _, ok := q.newest[k]; !ok {
			q.order = append(q.order, due{route: k})
		}
		q.newest[k] = c
	}
}

// mark makes the family's End-of-RIB due after all that is due now.
func (q *queue) mark(f wire.Family) { q.order = append(q.order, due{end: f}) }

// len is how much is due.
func (q *queue) len() int { return len(q.order) - q.head }

// clear forgets everything.
func (q *queue) clear() {
	q.order, q.head = nil, 0
	clear(q.newest)
}

// take takes at most n changes, up to the next mark; end is the mark that follows them, if the queue has come to it.
func (q *queue) take(n int) (changes []wire.Change, end wire.Family) {
	for q.head < len(q.order) && len(changes) < n {
		d := q.order[q.head]
		q.order[q.head] = due{}
		q.head++
		if d.end != 0 {
			end = d.end
			break
		}
		changes = append(changes, q.newest[d.route])
		delete(q.newest, d.route)
	}
	switch {
	case q.head == len(q.order):
		q.order, q.head = q.order[:0], 0
	case q.head > len(q.order)/2:
		q.order, q.head = append(q.order[:0:0], q.order[q.head:]...), 0
	}
	return changes, end
}

// Offsets in an EVPN NLRI with its type and length (RFC 7432 §7): the route distinguisher comes first, and the ESI after it.
const (
	evpnRD      = 2
	evpnESI     = 10
	evpnTag     = 20
	evpnIPBits  = 31 // of a MAC/IP advertisement
	evpnMACIP   = 2
	evpnAD      = 1
	evpnPrefix  = 5
	evpnPrefix4 = 34 // the shortest IP prefix route's fields (RFC 9136 §3.1)
	labelLength = 3
)

// keyOf is the key of a change: in EVPN, labels and gateways are attributes of the route, and so is the ESI of types 2 and 5 (RFC 7432 §7.1, §7.2,
// RFC 9136 §3.1).
func keyOf(c wire.Change) routeKey {
	k, n := routeKey{c.Family, c.NLRI}, c.NLRI
	if c.Family != wire.EVPN {
		return k
	}
	switch n[0] {
	case evpnAD:
		k.octets = n[:1] + n[evpnRD:len(n)-labelLength]
	case evpnMACIP:
		k.octets = n[:1] + n[evpnRD:evpnESI] + n[evpnTag:evpnIPBits+1+int(n[evpnIPBits])/8]
	case evpnPrefix:
		address := 4
		if len(n)-2 != evpnPrefix4 {
			address = 16
		}
		k.octets = n[:1] + n[evpnRD:evpnESI] + n[evpnTag:evpnTag+5+address]
	}
	return k
}
