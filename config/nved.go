package config

// nve checks nved's file.
func (c *checker) nve(raw *rawNVE) *NVE {
	n := &NVE{
		UDPPort:     preset(c, "udp_port", raw.UDPPort, udpPort),
		ListenPort:  preset(c, "listen_port", raw.ListenPort, listenPort),
		Listen:      each(c, "listen", raw.Listen, sessionAddress),
		RouteTarget: preset(c, "route_target", raw.RouteTarget, routeTargets),
		Control:     preset(c, "control", raw.Control, nvedControl),
		GoBGPFabric: preset(c, "gobgp.fabric", raw.GoBGP.Fabric, gobgpAPI),
		GoBGPTES:    preset(c, "gobgp.tes", raw.GoBGP.TES, gobgpAPI),
		GoBGPWrite:  preset(c, "gobgp_write", raw.GoBGPWrite, gobgpWrite),
		Metrics:     preset(c, "metrics", raw.Metrics, metrics),
		Guard:       Guard{User: preset(c, "guard.user", raw.Guard.User, guardUser)},
		Engine:      Engine{MemoryLimit: preset(c, "engine.memory_limit", raw.Engine.MemoryLimit, memoryLimit)},
		Record:      preset(c, "record", raw.Record, record),
		Lifetimes: Lifetimes{
			PreAssociated: preset(c, "lifetimes.pre_associated", raw.Lifetimes.PreAssociated, preAssociated),
			Associated:    preset(c, "lifetimes.associated", raw.Lifetimes.Associated, associated),
			Suspended:     preset(c, "lifetimes.suspended", raw.Lifetimes.Suspended, suspended),
			Emigrating:    preset(c, "lifetimes.emigrating", raw.Lifetimes.Emigrating, emigrating),
			Orphaned:      preset(c, "lifetimes.orphaned", raw.Lifetimes.Orphaned, orphaned),
			Terminated:    preset(c, "lifetimes.terminated", raw.Lifetimes.Terminated, terminated),
		},
		AssemblyTime: preset(c, "assembly_time", raw.AssemblyTime, assemblyTime),
		WithdrawTime: preset(c, "withdraw_time", raw.WithdrawTime, withdrawTime),
		HoldOnLoss:   preset(c, "hold_on_loss", raw.HoldOnLoss, holdOnLoss),
		StartupHold:  preset(c, "startup_hold", raw.StartupHold, startupHold),
		Duplicate: Duplicate{
			Moves:    preset(c, "duplicate.moves", raw.Duplicate.Moves, duplicateMoves),
			Window:   preset(c, "duplicate.window", raw.Duplicate.Window, duplicateWindow),
			Recovery: preset(c, "duplicate.recovery", raw.Duplicate.Recovery, duplicateRecovery),
		},
		Log: c.log(&raw.Log),
	}
	n.ID, _ = need(c, "nve_id", raw.ID, routerID)
	n.AS, _ = need(c, "as", raw.AS, asNumber)
	n.VTEP, _ = need(c, "vtep", raw.VTEP, tunnelAddress)
	n.State, _ = need(c, "state", raw.State, nvedState)

	n.Fabric = c.fabric(raw.Fabric)
	n.Express = c.express(raw, n)
	n.TES = c.tesPeers(raw.TES, n.ID)
	c.twoPlanes(n.Fabric, n.TES, raw.TES)
	told := c.tellTESs(raw.TES)
	n.VNs = c.edgeVNs(raw.VNs, n.TES, told)
	c.credentialKeys(raw.Keys, n.VNs)
	n.Policies = c.policiesFile(raw.Policies, n.VNs)
	c.defaultPolicies(raw.VNs, n)
	n.Ports = c.ports(raw.Ports, n, told)
	c.sharedBridge(raw.VNs, n)
	n.Quotas = c.quotas(&raw.Quotas, n.VNs)
	n.Servers = c.servers(raw.Servers, n)
	c.portsOfNobody(raw.Ports, n)
	n.Hooks = c.hooks(raw.Hooks)
	c.places([]place{
		{"state", n.State}, {"control", n.Control}, {"gobgp.fabric", n.GoBGPFabric}, {"gobgp.tes", n.GoBGPTES}, {"metrics", n.Metrics},
		{"record", n.Record},
	})
	return n
}
