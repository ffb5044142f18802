package evpn

// SequenceNewer reports whether a request's sequence a is newer than b, in RFC 1982 order. A difference of exactly 2^31 counts as lower
// (SPEC §2), whichever way round.
func SequenceNewer(a, b uint32) bool { return int32(a-b) > 0 }
