package evpn

import (
	"fmt"
	"strconv"
)

// VNI is a VXLAN network identifier of 24 bits (RFC 7348 §5); 0 means "named by VN-NAME" in a request.
type VNI uint32

// MaxVNI is the largest VNI.
const MaxVNI VNI = 1<<24 - 1

// ParseVNI reads a VNI in decimal digits and refuses 0 and what does not fit 24 bits.
func ParseVNI(s string) (VNI, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || n > uint64(MaxVNI) {
		return 0, fmt.Errorf("VNI %q: not a number from 1 to %d", s, MaxVNI)
	}
	return VNI(n), nil
}

// Check tells why the number is no VN's: it is 0, or does not fit 24 bits.
func (v VNI) Check() error {
	if v == 0 || v > MaxVNI {
		return fmt.Errorf("VNI %d: not from 1 to %d", v, MaxVNI)
	}
	return nil
}
