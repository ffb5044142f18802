// Package store keeps on disk what a TES must not forget: its VMs (what is wanted, what is announced, what the NVE acknowledged), the last
// sequence of every VMID it ever spoke for, and the number of each VN's route distinguisher (SPEC §1, §2, §3 "TES").
//
// It is one bbolt file. Every method that writes has the change on stable storage when it returns without error; when it returns one, the
// file holds what it held before. A file that cannot be read whole is refused, not repaired: a VM that is lost in silence is worse than a
// daemon that does not start. The error says which file, what is wrong and what can be done.
//
// # Layout
//
// Format 1. Integers are big-endian.
//
//	bucket     key                value
//	meta       "format"           1 octet: 1
//	meta       "tes"              4 octets: the TES-ID the file belongs to
//	meta       "vms"              4 octets: how many VMs the bucket vms holds
//	vms        VMID (16 octets)   record
//	sequences  VMID (16 octets)   4 octets: last sequence announced; kept after the VM is forgotten
//	numbers    VN Name (UTF-8)    2 octets: number of the VN's route distinguisher, 1 … 65534
//	rebuilt    NVE-ID (4 octets)  empty: this NVE's standing responses were read once, nothing is to be rebuilt from them
//
//	record  +---------+-----------+------------------------------------------------+
//	        | version | CRC-32C   | JSON, see record.go                            |
//	        | 1 octet | 4 octets  | the CRC covers the key, the version and this   |
//	        +---------+-----------+------------------------------------------------+
//
// bbolt guards only its meta pages by a checksum: the CRC and the count find what else can rot.
package store
