package guard

import "time"

// GoBGP is a mirror for people: it is told what the engine was told, behind, so that under load nothing waits for it.
const (
	mirrorAgain = 250 * time.Millisecond // between two looks while the link is busy
	mirrorMost  = 500                    // what has waited for so many MirrorTimes, 10 s, goes while the link is busy, too, but of all peers together
	mirrorPace  = 2000                   // routes a second at most
)

// mirrors reports whether it is the mirror's turn, and sees to it that the loop asks again when it may be.
func (p *peer) mirrors() bool {
	now := p.now()
	waited := time.Duration(now.UnixNano() - p.routes.toMirror.since())
	turn := p.guard.config.MirrorTime
	quiet := turn
	if p.link != nil {
		quiet = p.link.quiet(now)
	}
	if waited >= turn && quiet >= turn || waited >= mirrorMost*turn && p.guard.mirrorPace.AllowN(now, min(p.routes.toMirror.len(), batch)) {
		p.mirroring.stop()
		return true
	}
	if p.mirroring.timer == nil {
		wait := mirrorAgain
		if waited < turn {
			wait = turn
		}
		p.after(&p.mirroring, wait, func() {})
	}
	return false
}
