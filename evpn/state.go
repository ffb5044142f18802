package evpn

// State is an association's state as numbered on the wire (SPEC §2).
type State uint8

const (
	StateNull State = iota
	StatePreAssociated
	StateAssociated
	StateSuspended
	StateEmigrating
	StateTerminated
)

var stateWords = words{"state", []string{
	StateNull:          "null",
	StatePreAssociated: "pre-associated",
	StateAssociated:    "associated",
	StateSuspended:     "suspended",
	StateEmigrating:    "emigrating",
	StateTerminated:    "terminated",
}}

// ParseState reads a state's word.
func ParseState(s string) (State, error) {
	n, err := stateWords.parse(s)
	return State(n), err
}

// String is the state's word.
func (s State) String() string { return stateWords.format(uint8(s)) }

// MarshalText is the text of String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseState does.
func (s *State) UnmarshalText(text []byte) (err error) {
	*s, err = ParseState(string(text))
	return err
}
