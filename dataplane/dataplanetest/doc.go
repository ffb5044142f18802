// Package dataplanetest has what the tests of a dataplane need: Twin, a kernel in memory that tells what it holds as
// lines of `bridge fdb`, that fails when told to and can be tampered with like a real one; and Contract, the tests that it and every
// other dataplane.Kernel pass.
package dataplanetest
