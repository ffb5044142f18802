package tes

import (
	"errors"
	"fmt"
)

// What an Operation can fail with beside an *InputError. In all cases but ErrUnknownVM and ErrStore the wish stands.
var (
	ErrUnknownVM  = errors.New("VM is not known here")
	ErrStore      = errors.New("the wish could not be stored")
	ErrNoSession  = errors.New("no session to the NVE")
	ErrNoAnswer   = errors.New("no answer from the NVE")
	ErrSuperseded = errors.New("superseded by a newer wish")
	ErrStopped    = errors.New("the agent has stopped")
)

// InputError says what is wrong with a value that was given, and what would be right.
type InputError struct {
	Key   string // as on tnsctl's command line: vm, op, nic, mac, ip, vn, policy, credentials, …
	Value string
	Want  string
}

func (e *InputError) Error() string { return fmt.Sprintf("%s %s: %s", e.Key, e.Value, e.Want) }
