// Package store keeps on disk what a TES must not forget: its VMs (what is wanted, what is announced, what the NVE acknowledged), the last
// sequence of every VMID it ever spoke for, and the number of each VN's route distinguisher (SPEC §1, §2, §3 "TES").
//
// It is one bbolt file, and beside it a journal, PATH.journal. Every method that writes appends one record to the journal, and has it on
// stable storage when it returns without error; when it returns one, both files hold what they held before. bbolt follows behind, in one
// transaction for all that has gathered: 30 ms after the last record, 1 s after the first at the latest, and when the file is closed or
// has been opened. After a stop the journal holds nothing that bbolt does not; a copy of a file in use needs both, the journal last.
//
// A file that cannot be read whole is refused, not repaired: a VM that is lost in silence is worse than a daemon that does not start. The
// error says which file, what is wrong and what can be done. The journal is refused unless it follows the bbolt file without a gap; only
// its last record may be incomplete: nobody was told that it is there.
//
// # Layout
//
// Format 1. Integers are big-endian.
//
//	bucket     key                value
//	meta       "format"           1 octet: 1
//	meta       "tes"              4 octets: the TES-ID the file belongs to
//	meta       "vms"              4 octets: how many VMs the bucket vms holds
//	meta       "journal"          8 octets: number of the last journal record that the file holds, 4 octets: CRC-32C of them
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
// The journal begins with "TESJRNL", the version of its layout (1 octet: 1), the TES-ID (4 octets) and the CRC-32C of these. Records follow:
//
//	+---------+----------+---------+----------+----------------------------------------------------------+
//	| length  | number   | kind    | CRC-32C  | body: 1 VMID and record, 2 VMID of a forgotten VM,       |
//	| of body | 8 octets | 1 octet | 4 octets | 3 number and VN Name, 4 NVE-ID                           |
//	| 4 octets|          |         |          | the CRC covers the record's place in the file and this   |
//	+---------+----------+---------+----------+----------------------------------------------------------+
//
// Numbers count up by one for as long as the file lives. Once bbolt holds all, the next record is written at the beginning again, over what
// is there: what is left behind it is known by its lower number.
//
// bbolt guards only its meta pages by a checksum: the CRC and the count find what else can rot.
package store
