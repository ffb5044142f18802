// Package history keeps what happened to each VM, for people: a bounded log in memory, by VM and in whole.
//
// Loops append; commands read. An append packs the event into some hundred octets, which the log and the VM's story share, and wakes the readers; it waits for
// none, and what is read is unpacked beside it. Nothing is read back by the program: what must survive belongs to a store.
package history
