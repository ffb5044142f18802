// Package quota is the ledger of what there is only so much of at an edge: VMs and MACs that the administrator allows a TES, a VN or a tenant, ACL rules, VLAN
// identifiers and bandwidth that the edge can give.
//
//	Check     would it fit?            changes nothing; for a dry run
//	Reserve   held beside the old      before anything is touched, as a whole or not at all
//	Keep      just this is held        when the old set is released, or the new one is given up
//	Release   nothing is held
//
// What several holders share counts once: a VM that moves from one TES of an edge to another is two associations for a while, and still one VM of its VN, with
// one MAC in it. So a move needs no operation of its own: the new holder reserves, the old one releases, and at no time is anything counted twice.
//
// A limit says what may be added, not what may be there: one that is lowered below what is held takes nothing away, and whoever holds something may have the
// same again. Nothing grows, though, until it is below the limit.
//
// The package knows neither routes nor time (§3.3.1: resources are reserved at pre-association; reasons 2 and 15 of SPEC §2).
package quota
