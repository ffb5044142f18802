// Package history keeps what happened to each VM, for people: a bounded log in memory, by VM and in whole.
//
// Loops append; commands read. An append costs two copies into rings and wakes the followers; it waits for no reader. Nothing is read
// back by the program: what must survive belongs to a store.
package history
