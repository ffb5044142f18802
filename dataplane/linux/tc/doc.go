// Package tc keeps the rates of VMs in a Linux kernel, beside what nftables checks: limits with a burst in both directions, and bandwidth that is
// guaranteed towards a VM.
//
//	frame from a VM ──► limiter ──► nftables ──► bridge ──► nftables ──► limiter ──► frame to a VM
//	                                                         mark            │
//	                                                                    HTB of the port: a class per VM that has a guarantee, one for all else
//
// A limiter is a program of tc's clsact at the bridge port, with a map that it looks a VM up in by its address. A limit is a token bucket, kept as the time
// at which it will be full again, so that one atomic addition takes from it. nftables has no such bucket: that of its limit holds a whole
// second's worth beside the burst, so that a limit of 10 Mbit/s lets 20 Mbit through in the first second.
//
// A device that is given a qdisc sends nothing for a moment, and drops what it should send. So clsact comes with the port; the HTB comes with the first
// guarantee and goes with the last, and costs about a millisecond of frames towards the port each time.
//
// Programs, maps and classes belong to the device and stay when the process ends.
package tc
