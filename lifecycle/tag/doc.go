// Package tag hands out the VIDs by which a VN is known where the frames of several go over one port, and says how one changes (SEED §3.3.9, SPEC §3 "NVE local
// change").
//
// A segment is what a VID is unique on: a port, or several that a switch joins. A Book keeps a Tag for each VN on each segment. It does nothing itself: no clock, no
// kernel, no disk. Whoever uses it writes down the Tags that its methods return and gives them back to New.
//
// # A change
//
//	           Begin                 all answered, or 30 s                   the failed ones are gone,
//	VID 100 ──────────► VID 200, Old 100 ──┬── all applied, or silent ──► VID 200        or have applied
//	                    sent: 100          └── some failed ─────────────► VID 200, Old 100 ──────────► VID 200
//	                                                                      sent: 200, or 100 as long as nobody applied
//
// While it goes on, frames with either VID are taken and the old one is sent: a TES that has applied the new one takes both for as long. Then the new one is sent. A VM whose
// TES answered that it could not apply the new one still uses the old one; that is taken as long as such a VM is there, and goes with the next change of the VN, or
// when no VID is left for another VN. A TES that does not answer is waited for for Patience, as the contract says, and not longer.
//
// A VM that appears during the change is told the VID that is sent. When the change is over, it and its like are changed in a second round, in which those that
// appear are told the new VID at once, so that there is no third.
package tag
