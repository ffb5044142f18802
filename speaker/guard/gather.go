package guard

import "time"

// gatherTime is how long a route waits at most while its engine's table is coming.
const gatherTime = 20 * time.Millisecond

// gathers reports whether what is due to the peer waits for more. GoBGP writes an UPDATE a route, so while a new engine's table is coming, which lasts
// until its End-of-RIB, routes leave when there is a batch of them, or gatherTime after the first of them; else how many UPDATEs they make would depend on
// how the system lets engine and guard take turns. At all other times nothing waits here: a change that comes alone is no table.
func (p *peer) gathers() bool {
	if !p.gathered && p.coming() && p.routes.toPeer.len() < batch {
		if p.gathering.timer == nil {
			p.after(&p.gathering, gatherTime, func() { p.gathered = true })
		}
		return true
	}
	p.gathering.stop()
	p.gathered = false
	return false
}
