package bgp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
)

// SPEC §2, by hand: the type octet of its communities, and their sub-types.
const (
	signalling = 0x88

	subOp          = 0x01
	subVMIDa       = 0x02
	subVMIDb       = 0x03
	subVMIDc       = 0x04
	subPolicy      = 0x05
	subResult      = 0x07
	subVNNameA     = 0x0e
	subVNNameB     = 0x0f
	subCredentialA = 0x14
	subCredentialB = 0x15
	subCredentialC = 0x16
	subExpiry      = 0x17
)

// Operations and flags of OP.
const (
	Associate = 2
	Suspend   = 3
	Terminate = 6

	FlagImmigration = 8
)

// Ask is a request that is well made; Request is what can be made wrong of it.
type Ask struct {
	TES, NVE     netip.Addr
	Op, Base     byte
	Flags        byte
	Sequence     uint32
	VM           [16]byte
	Index, Count byte // 0: 1
	VNI          uint32
	Name         string // not "": the VN is named instead
	MAC          net.HardwareAddr
	IP           netip.Addr // invalid: none
	Policy       uint32     // type and version, 24 and 8 bits; 0: none
}

// Request is one request route, octet by octet.
type Request struct {
	RD          [8]byte
	ESI         [10]byte
	Tag         uint32
	MAC         net.HardwareAddr
	IP          netip.Addr
	Label       uint32
	NextHop     netip.Addr
	Communities []Community
}

// Request writes the request down, without a credential.
func (a Ask) Request() Request {
	r := Request{MAC: a.MAC, IP: a.IP, NextHop: a.TES, Label: a.VNI}
	copy(r.RD[:], distinguisher(a.TES))
	target := Community{0x00, 0x02, 0x20, 0xca} // 8394
	copy(target[4:], a.NVE.AsSlice())
	op := Community{signalling, subOp, 1<<4 | a.Op, a.Base<<4 | a.Flags}
	binary.BigEndian.PutUint32(op[4:], a.Sequence)
	last := append(append([]byte{}, a.VM[12:]...), max(a.Index, 1), max(a.Count, 1))
	r.Communities = []Community{target, op, six(subVMIDa, a.VM[:6]), six(subVMIDb, a.VM[6:12]), six(subVMIDc, last)}
	if a.Policy != 0 {
		r.Communities = append(r.Communities, six(subPolicy, append(binary.BigEndian.AppendUint32(nil, a.Policy), 5, 0)))
	}
	if a.Name != "" {
		hash := sha256.Sum256([]byte(a.Name))
		r.Label = 0
		r.Communities = append(r.Communities, six(subVNNameA, hash[:6]), six(subVNNameB, hash[6:12]))
	}
	return r
}

// With is the request with a credential for what is asked, by a key of a number, and its expiry.
func (a Ask) With(key []byte, id uint16, expiry uint32) Request {
	return a.Request().Vouched(a.Tag(key, id, expiry), id, expiry)
}

// Vouched is the request with a credential, whatever it was made for.
func (r Request) Vouched(tag [16]byte, id uint16, expiry uint32) Request {
	first := append(binary.BigEndian.AppendUint16(nil, id), tag[:4]...)
	r.Communities = append(r.Communities[:len(r.Communities):len(r.Communities)],
		six(subCredentialA, first), six(subCredentialB, tag[4:10]), six(subCredentialC, tag[10:]),
		six(subExpiry, append(binary.BigEndian.AppendUint32(nil, expiry), 0, 0)))
	return r
}

// Tag is the credential for what is asked: HMAC-SHA-256, truncated to 128 bits (SPEC §2, Credential).
func (a Ask) Tag(key []byte, id uint16, expiry uint32) (tag [16]byte) {
	var name [12]byte
	vni := a.VNI
	if a.Name != "" {
		hash := sha256.Sum256([]byte(a.Name))
		copy(name[:], hash[:])
		vni = 0
	}
	m := append([]byte("tns-credential-1"), a.VM[:]...)
	m = append(m, a.TES.AsSlice()...)
	m = binary.BigEndian.AppendUint32(m, vni)
	m = append(append(m, name[:]...), a.MAC...)
	m = append(append(m, byte(len(a.IP.AsSlice()))), a.IP.AsSlice()...)
	m = binary.BigEndian.AppendUint32(m, a.Policy)
	m = binary.BigEndian.AppendUint32(m, expiry)
	m = binary.BigEndian.AppendUint16(m, id)
	h := hmac.New(sha256.New, key)
	h.Write(m)
	copy(tag[:], h.Sum(nil))
	return tag
}

// six is a community of SPEC §2 with its six octets.
func six(sub byte, octets []byte) Community {
	c := Community{signalling, sub}
	copy(c[2:], octets)
	return c
}

// nlri is the request's route of type 2.
func (r Request) nlri() []byte {
	value := append(append([]byte{}, r.RD[:]...), r.ESI[:]...)
	value = binary.BigEndian.AppendUint32(value, r.Tag)
	value = append(append(value, 48), r.MAC...)
	value = append(append(value, byte(r.IP.BitLen())), r.IP.AsSlice()...)
	value = append(value, label(r.Label)...)
	return append([]byte{2, byte(len(value))}, value...)
}

// Ask announces a request.
func (s *Session) Ask(r Request) error {
	return s.announce(Route{nlri: r.nlri()}, r.NextHop, r.Communities)
}

// Unask takes a request back.
func (s *Session) Unask(r Request) error { return s.Withdraw(Route{nlri: r.nlri()}) }

// AppendTo appends the UPDATE that makes the request, for Send.
func (r Request) AppendTo(messages []byte) []byte {
	return message(messages, typeUpdate, Route{nlri: r.nlri()}.announcement(r.NextHop, r.Communities))
}

// AppendWithdrawalTo appends the UPDATE that takes the request back, for Send.
func (r Request) AppendWithdrawalTo(messages []byte) []byte {
	return message(messages, typeUpdate, Route{nlri: r.nlri()}.withdrawal())
}
