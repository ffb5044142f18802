package evpn

// Lease is LEASE: how long what it stands on lives without being refreshed.
//
//	 0               16                            48
//	+---------------+-----------------------------+
//	| lifetime 16   | counter 32                  |
//	+---------------+-----------------------------+
type Lease struct {
	Lifetime uint16 // seconds
	Counter  uint32 // beacon; 0 in responses
}

func (l Lease) value() value { return value(l.Lifetime)<<32 | value(l.Counter) }

func readLease(v value) Lease { return Lease{Lifetime: uint16(v >> 32), Counter: uint32(v)} }
