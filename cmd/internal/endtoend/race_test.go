//go:build race

package endtoend

// raceFlags: under the race detector the daemons run with it too.
var raceFlags = []string{"-race"}
