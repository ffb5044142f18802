// Package store keeps on disk what spares the NVE from guessing after a restart: RD numbers, which TESs were there, the highest sequence of each VM's
// requests, the MAC mobility sequences, and which credentials were accepted (SPEC §3, "nved keeps on disk").
//
// Nothing in it is needed to come up: a file that cannot be read is put aside, with an error that says where, and a new one is begun. (Without acceptances, a
// VM whose credential has expired meanwhile needs a new one.) Writes do not block the caller; they are gathered and written together, and kept for the next try when the disk refuses.
//
// The file is a bbolt database with one bucket per kind; keys and values are fixed octets, most significant first:
//
//	meta       "version"                    → 1
//	number     VNI 4                        → RD number 2
//	tes        TES-ID 4                     → (empty)
//	sequence   VMID 16 · TES-ID 4           → sequence 4
//	mobility   VNI 4 · MAC 6                → seen 4 · own 4 · flags 1 (1 = another edge had it, 2 = ours stood) · gone, Unix seconds 8 (0 = a route stands)
//	acceptance VMID 16 · TES-ID 4 · VNI 4 · VN-NAME 12 · MAC 6 · IP 0, 4 or 16
//	                                        → policy type 3 · policy version 1 · expiry, Unix seconds 4 · key id 2 · tag 16
package store
