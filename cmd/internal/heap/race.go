//go:build race

package heap

// shadowed: the race detector touches some octets for each octet that is allocated.
const shadowed = true
