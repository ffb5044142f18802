package guard

// IsRenewed reports whether Renewed counts for sessions that come.
func (g *Guard) IsRenewed() bool { return g.renewed.Load() }
