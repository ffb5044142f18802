package wire

// RouteKey tells the routes of a table apart: the family, and the NLRI without what is an attribute of the route. It is comparable.
type RouteKey struct {
	family Family
	octets string
}

// Key is the key of the route that changes.
func (c Change) Key() RouteKey {
	var scratch [64]byte
	b, n := splitKey(scratch[:0], c.Family, c.NLRI)
	return RouteKey{c.Family, string(b[:n])}
}

// splitKey is a correct NLRI in another order: its first n octets are the route's key, without length, ESI, labels and gateway, which are attributes of
// the route (RFC 7432 §7.1, §7.2, RFC 9136 §3.1); joinKey puts it back. Trailing bits of an IPv4 prefix mean nothing (RFC 4271 §4.3) and are cleared.
func splitKey(b []byte, f Family, nlri string) (_ []byte, n int) {
	start := len(b)
	switch {
	case f == EVPN && nlri[0] == 1:
		end := len(nlri) - 3
		b = append(append(b, nlri[0]), nlri[2:end]...)
		n = len(b) - start
		return append(append(b, nlri[1]), nlri[end:]...), n
	case f == EVPN && (nlri[0] == 2 || nlri[0] == 5):
		end := 2 + macIPFixed + int(nlri[2+macIPAt])/8
		if nlri[0] == 5 {
			end = 2 + 23 + (len(nlri)-2-26)/2
		}
		b = append(append(append(b, nlri[0]), nlri[2:10]...), nlri[20:end]...)
		n = len(b) - start
		return append(append(append(b, nlri[1]), nlri[10:20]...), nlri[end:]...), n
	}
	b = append(b, nlri...)
	if spare := (8 - b[start]%8) % 8; f == IPv4Unicast && spare > 0 {
		b[len(b)-1] &= 0xff << spare
	}
	return b, len(nlri)
}

// joinKey is the NLRI that splitKey took apart.
func joinKey(f Family, key, rest string) string {
	switch {
	case rest == "":
		return key
	case key[0] == 1:
		return key[:1] + rest[:1] + key[1:] + rest[1:]
	}
	return key[:1] + rest[:1] + key[1:9] + rest[1:11] + key[9:] + rest[11:]
}
