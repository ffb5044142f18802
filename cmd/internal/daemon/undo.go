package daemon

// Undo takes back the steps of a build that failed. The zero value is empty.
type Undo struct{ steps []func() }

// Add adds how to take back the step that was just done.
func (u *Undo) Add(f func()) { u.steps = append(u.steps, f) }

// Unless takes back all steps, the last one first, if there is an error by then. It is deferred.
func (u *Undo) Unless(err *error) {
	if *err == nil {
		return
	}
	for i := len(u.steps) - 1; i >= 0; i-- {
		u.steps[i]()
	}
}
