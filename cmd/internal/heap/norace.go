//go:build !race

package heap

const shadowed = false
