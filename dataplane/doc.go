// Package dataplane says what the forwarding table should hold and makes it so.
//
// A role asks for entries with Set and Unset; the Reconciler's one loop writes what changed, retries what failed, and
// compares all of it with the kernel at the start, when somebody else changed the kernel, at an interval, and when asked.
// Restart, repair and normal work are the same code: Diff says what is missing and what is too much, Kernel.Apply sets
// and then deletes.
//
//	Set, Unset ──► desired table ──► dirty keys ──► Kernel.Apply ──► Results
//	                     │                               ▲
//	Kernel.List ──► Diff(want, have) ────────────────────┘   (full pass)
//
// Nothing that nobody asked for is removed before Complete: after a restart the entries of the last run still forward
// (the contract's section on restarts: not before End-of-RIB from every peer). What stands in the kernel without our mark is never
// touched, and everything stays when Run ends.
//
// A VM's policy is an entry, too: what it may send and get, its rates and marks, in force or prepared only. A kernel enforces it before it forwards the VM's
// frames, and lists it by its digest, which is all that a comparison needs.
//
// Kernel is an interface; dataplane/linux is the Linux bridge and VXLAN device, dataplane/dataplanetest an in-memory twin
// together with the tests that both pass.
package dataplane
