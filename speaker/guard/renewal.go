package guard

// A new engine announces everything again. When it has, is told by
//
//   - Renewal ByEndOfRIB: its End-of-RIB, of each session and family by itself;
//   - Renewal ByCall: Renewed, and then End-of-RIB and SettleTime of silence of each session, because routes that the engine has announced are still on
//     their way then. A session that the peer has begun after the call has nothing that could be withdrawn too early: its End-of-RIB is enough;
//   - either: End-of-RIB for memberships (RFC 4684), which do not depend on what an engine restores; RenewTime. The engine is taken to have said everything by then, also to sessions that come later.
//
// An engine that is lost, or does not answer, takes its word with it.

// Renewed says that the engine has announced everything again, with Config.Renewal ByCall: on each session what it has not is withdrawn once it has sent
// End-of-RIB and then been silent for SettleTime. It counts until the engine is lost; for sessions that come later, too. To say it again is harmless, and
// so it is without an engine: the next one has to say it by itself.
func (g *Guard) Renewed() {
	g.renewed.Store(true)
	for _, p := range g.all() {
		p.post(happening{do: func() {
			p.said = p.now()
			p.settle()
		}})
	}
}

// renew begins the time in which an engine announces everything again.
func (p *peer) renew() {
	p.settling.stop()
	p.said = p.now()
	p.whole = p.guard.config.Renewal == ByEndOfRIB || p.engines == 1 && p.guard.renewed.Load()
	p.after(&p.renewal, p.guard.config.RenewTime, func() {
		p.guard.renewed.Store(true)
		p.renewed()
	})
}

// settle ends that time, now or when the engine will have been silent for long enough.
func (p *peer) settle() {
	if !p.guard.renewed.Load() || p.settling.timer != nil || p.routes == nil || !p.routes.engine || !p.routes.isRenewing() || !p.routes.finished() {
		return
	}
	if rest := p.guard.config.SettleTime - p.now().Sub(p.said); rest > 0 {
		p.after(&p.settling, rest, p.settle)
		return
	}
	p.renewed()
}

// renewed ends it.
func (p *peer) renewed() {
	p.stopRenewing()
	if p.routes != nil && p.routes.engine {
		p.routes.renewedAll()
	}
}

func (p *peer) stopRenewing() {
	p.renewal.stop()
	p.settling.stop()
}

// unrenewed takes back what an engine said that is gone.
func (g *Guard) unrenewed() { g.renewed.Store(false) }
