package evpn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// Consent is what a credential says: this VM, at this TES, may have this address in this VN with this policy, if it begins before Expiry (SPEC §2,
// Credential).
type Consent struct {
	VM     VMID
	TES    RouterID
	VNI    VNI    // 0: the VN is named
	VNName VNName // zero: the VN is numbered
	MAC    MAC
	IP     netip.Addr // invalid: the MAC alone
	Policy Policy     // type and version; zero: no profile
	Expiry uint32     // Unix seconds; from then on nothing new begins
}

// Consent is what a credential must say for the request, when it came as that route for that TES.
func (r *Request) Consent(tes RouterID, route *Route) Consent {
	c := Consent{VM: r.VM, TES: tes, VNI: route.Label, MAC: route.MAC, IP: route.IP}
	if route.Label == 0 && r.VNName != nil {
		c.VNName = *r.VNName
	}
	if r.Policy != nil {
		c.Policy = *r.Policy
	}
	if r.Expiry != nil {
		c.Expiry = *r.Expiry
	}
	return c
}

// consentPrefix keeps what is signed here from being taken for anything else that the key signs.
const consentPrefix = "tns-credential-1"

// Credential signs the consent with the key of that number: HMAC-SHA-256 over the octets below, truncated to 128 bits.
//
//	"tns-credential-1" | VMID 16 | TES-ID 4 | VNI 4 | VN-NAME 12 | MAC 6 | IP length 1 | IP 0, 4 or 16 |
//	policy type 3 | policy version 1 | expiry 4 | key id 2
func (c *Consent) Credential(key CredentialKey, id uint16) Credential {
	m := make([]byte, 0, 96)
	m = append(m, consentPrefix...)
	m = append(m, c.VM[:]...)
	m = binary.BigEndian.AppendUint32(m, uint32(c.TES))
	m = binary.BigEndian.AppendUint32(m, uint32(c.VNI))
	m = append(m, c.VNName[:]...)
	m = append(m, c.MAC[:]...)
	ip := c.IP.AsSlice()
	m = append(m, byte(len(ip)))
	m = append(m, ip...)
	m = append(m, byte(c.Policy.Type>>16), byte(c.Policy.Type>>8), byte(c.Policy.Type), c.Policy.Version)
	m = binary.BigEndian.AppendUint32(m, c.Expiry)
	m = binary.BigEndian.AppendUint16(m, id)

	mac := hmac.New(sha256.New, key.octets)
	mac.Write(m)
	return Credential{KeyID: id, Tag: [16]byte(mac.Sum(nil))}
}

// Says reports whether the credential was made for the consent with the key. Whether the consent has expired is the caller's to judge.
func (c Credential) Says(what *Consent, key CredentialKey) bool {
	return c.Equal(what.Credential(key, c.KeyID))
}

// Equal compares two credentials in a time that does not tell where they differ.
func (c Credential) Equal(d Credential) bool {
	return c.KeyID == d.KeyID && hmac.Equal(c.Tag[:], d.Tag[:])
}
