// Package arch holds the tests of the whole tree's shape: which package may import which, where a library may be used, and what every daemon
// and every test must keep to.
package arch
