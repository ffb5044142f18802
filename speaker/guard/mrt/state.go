package mrt

import "fmt"

// State is the state of a session as a record tells it (RFC 6396 §4.4.1); 0 is none.
type State uint16

// stateNames begin with 1; the last two are FRR's.
var stateNames = [...]string{1: "idle", "connect", "active", "opensent", "openconfirm", "established", "clearing", "deleted"}

// String is the state's name in lower case, or its number.
func (s State) String() string {
	if s > 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint16(s))
}
