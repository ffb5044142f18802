package fdb

// Pause keeps the observer from taking what it has read, until resume.
func (o *Observer) Pause() (resume func()) {
	o.mu.Lock()
	return o.mu.Unlock
}
