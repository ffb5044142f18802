package evpn

// Credential is CREDENTIAL: proof of the VM manager's consent, which the hypervisor only passes on (SPEC §2). [Consent] tells what it says.
//
//	CREDENTIAL-a | key id 16 | tag octets 0-3 |
//	CREDENTIAL-b | tag octets 4-9             |
//	CREDENTIAL-c | tag octets 10-15           |
type Credential struct {
	KeyID uint16
	Tag   [16]byte
}

func (c *Credential) append(cs []ExtendedCommunity) []ExtendedCommunity {
	first := [6]byte{byte(c.KeyID >> 8), byte(c.KeyID), c.Tag[0], c.Tag[1], c.Tag[2], c.Tag[3]}
	return append(cs,
		SubtypeCredentialA.community(valueOf(first[:])),
		SubtypeCredentialB.community(valueOf(c.Tag[4:10])),
		SubtypeCredentialC.community(valueOf(c.Tag[10:16])))
}

func readCredential(a, b, c value) (cred Credential) {
	first, second, third := a.octets(), b.octets(), c.octets()
	cred.KeyID = uint16(first[0])<<8 | uint16(first[1])
	copy(cred.Tag[0:], first[2:])
	copy(cred.Tag[4:], second[:])
	copy(cred.Tag[10:], third[:])
	return cred
}

// EXPIRY is when a credential ends, in Unix seconds.
//
//	 0                            32           48
//	+----------------------------+------------+
//	| Unix seconds 32            | reserved   |
//	+----------------------------+------------+
func expiryValue(seconds uint32) value { return value(seconds) << 16 }

func readExpiry(v value) uint32 { return uint32(v >> 16) }
