package evpn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Octets of an EVPN NLRI (RFC 7432 §7), after route type 8 and length 8:
//
//	type 2: | RD 64 | ESI 80 | ETag 32 | MAC bits 8 = 48 | MAC 48 | IP bits 8 | IP 0, 32 or 128 | label1 24 | label2 0 or 24 |
//	type 3: | RD 64 | ETag 32 | IP bits 8 | originating router's IP 32 or 128 |
const (
	macIPFixed     = 8 + 10 + 4 + 1 + 6 + 1 + 3
	multicastFixed = 8 + 4 + 1
	macBits        = 48
)

// AppendNLRI appends the route's NLRI. The label is the VNI, unshifted (RFC 8365 §5.1.3); there is no second one.
func (r *Route) AppendNLRI(b []byte) ([]byte, error) {
	switch {
	case r.Type == MACIPAdvertisement:
		b = append(b, byte(r.Type), byte(macIPFixed+r.IP.BitLen()/8))
		b = append(b, r.RD[:]...)
		b = append(b, r.ESI[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(r.Tag))
		b = append(b, macBits)
		b = append(b, r.MAC[:]...)
		b = appendAddr(b, r.IP)
		return appendLabel(b, r.Label), nil
	case r.Type == InclusiveMulticast && r.IP.IsValid():
		b = append(b, byte(r.Type), byte(multicastFixed+r.IP.BitLen()/8))
		b = append(b, r.RD[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(r.Tag))
		return appendAddr(b, r.IP), nil
	case r.Type == InclusiveMulticast:
		return nil, errors.New("write NLRI: route type 3 without the originating router's address")
	}
	return nil, fmt.Errorf("write NLRI: route type %d, only 2 and 3 are known", r.Type)
}

// DecodeNLRI reads one NLRI of type 2 or 3 and returns what follows it. Every length must fit exactly. Label 2 (the VNI of an IP VRF,
// RFC 9135) is skipped: it is no part of the key and we have no use for it.
func DecodeNLRI(b []byte) (r Route, rest []byte, err error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return Route{}, nil, fmt.Errorf("read NLRI: cut off after %d octets", len(b))
	}
	r.Type = RouteType(b[0])
	body, rest := b[2:2+int(b[1])], b[2+int(b[1]):]
	switch r.Type {
	case MACIPAdvertisement:
		err = r.readMACIP(body)
	case InclusiveMulticast:
		err = r.readMulticast(body)
	default:
		err = fmt.Errorf("route type %d, only 2 and 3 are known", r.Type)
	}
	if err != nil {
		return Route{}, nil, fmt.Errorf("read NLRI: %w", err)
	}
	return r, rest, nil
}

func (r *Route) readMACIP(b []byte) error {
	if len(b) < macIPFixed {
		return fmt.Errorf("type 2 of %d octets, at least %d are needed", len(b), macIPFixed)
	}
	r.RD, r.ESI, r.Tag = [8]byte(b[:8]), [10]byte(b[8:18]), EthernetTag(binary.BigEndian.Uint32(b[18:22]))
	if b[22] != macBits {
		return fmt.Errorf("MAC of %d bits, it has 48", b[22])
	}
	r.MAC = MAC(b[23:29])
	ip, labels, err := readAddr(b[29:], true)
	if err != nil {
		return err
	}
	if len(labels) != 3 && len(labels) != 6 {
		return fmt.Errorf("%d octets of labels, one label has 3 and two have 6", len(labels))
	}
	r.IP, r.Label = ip, label(labels)
	return nil
}

func (r *Route) readMulticast(b []byte) error {
	if len(b) < multicastFixed {
		return fmt.Errorf("type 3 of %d octets, at least %d are needed", len(b), multicastFixed+4)
	}
	r.RD, r.Tag = [8]byte(b[:8]), EthernetTag(binary.BigEndian.Uint32(b[8:12]))
	ip, rest, err := readAddr(b[12:], false)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("type 3 with %d octets too many", len(rest))
	}
	r.IP = ip
	return nil
}

func appendAddr(b []byte, a netip.Addr) []byte {
	b = append(b, byte(a.BitLen()))
	return append(b, a.AsSlice()...)
}

// readAddr reads a length in bits and that address.
func readAddr(b []byte, optional bool) (a netip.Addr, rest []byte, err error) {
	bits, b := b[0], b[1:]
	switch {
	case bits == 0 && optional:
		return netip.Addr{}, b, nil
	case bits == 32 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), b[4:], nil
	case bits == 128 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), b[16:], nil
	case bits == 32 || bits == 128:
		return netip.Addr{}, nil, fmt.Errorf("IP address of %d bits in %d octets", bits, len(b))
	}
	return netip.Addr{}, nil, fmt.Errorf("IP address of %d bits, it has 32 or 128", bits)
}

func appendLabel(b []byte, v VNI) []byte { return append(b, byte(v>>16), byte(v>>8), byte(v)) }

func label(b []byte) VNI { return VNI(b[0])<<16 | VNI(b[1])<<8 | VNI(b[2]) }
