// Package store keeps on disk what spares the NVE from guessing after a restart: RD numbers, which TESs were there, the highest sequence of each VM's
// requests, the MAC mobility sequences, which credentials were accepted, what each VM holds, tags and what VMs were told of them, which VNs drain (SPEC §3, "nved
// keeps on disk"), and notices that hooks have not got yet.
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
//	holding    VMID 16 · TES-ID 4           → for each MAC: VNI 4 · MAC 6 · policy type 3 · policy version 1
//	draining   VNI 4                        → (empty)
//	tag        VNI 4 · segment              → VID 2 · old 2 · next 2 · flags 1 (1 = the old one is sent, 2 = second round) · until, nanoseconds 8
//	told       VMID 16 · TES-ID 4 · VNI 4 · MAC 6
//	                                        → type 1 · PCP 1 · change 1 · answer 1 · VID 2 · when, nanoseconds 8
//	notice     hook · number 8              → the notice as JSON
package store
