package main

import (
	"errors"

	"github.com/tns-project/tns/cmd/internal/control"
)

// Exit statuses (SPEC §5).
const (
	exitDone     = 0
	exitRefused  = 1
	exitUsage    = 2
	exitNoAnswer = 3
)

// usageError is a command line that cannot be meant.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// outcome is an answer that is printed already and was not a success: only its sentence and status are left to tell.
type outcome struct {
	text   string
	status int
}

func (e outcome) Error() string { return e.text }

// exitStatus sorts an error into the exit status.
func exitStatus(err error) int {
	var usage usageError
	var told outcome
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &told):
		return told.status
	case errors.As(err, &usage), errors.Is(err, control.ErrInvalid):
		return exitUsage
	case errors.Is(err, control.ErrNoDaemon), errors.Is(err, control.ErrNoAnswer):
		return exitNoAnswer
	}
	return exitRefused
}
