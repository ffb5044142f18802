package evpn

// Policy is POLICY: a profile of a VSI type (SPEC §2; VDP's VSI type id and version).
//
//	 0                        24         32           40         48
//	+------------------------+----------+------------+----------+
//	| profile type id 24     | version  | VMID format| reserved |
//	+------------------------+----------+------------+----------+
type Policy struct {
	Type    uint32 // 24 bits
	Version uint8
	Format  uint8 // VMID format, as VDP
}

// VMID formats of POLICY, as VDP numbers them (IEEE 802.1Q §41.2.6).
const (
	FormatIPv4  uint8 = 1
	FormatIPv6  uint8 = 2
	FormatMAC   uint8 = 3
	FormatLocal uint8 = 4
	FormatUUID  uint8 = 5
)

func (p Policy) value() value {
	return value(p.Type&(1<<24-1))<<24 | value(p.Version)<<16 | value(p.Format)<<8
}

func readPolicy(v value) Policy {
	return Policy{Type: uint32(v >> 24), Version: uint8(v >> 16), Format: uint8(v >> 8)}
}
