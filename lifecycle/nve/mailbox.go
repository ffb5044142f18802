package nve

import "sync"

// mailbox takes work for the loop from any goroutine, also from the loop itself, and never blocks.
type mailbox struct {
	*sync.Mutex
	work   *[]func()
	signal chan struct{}
}

func newMailbox() mailbox {
	return mailbox{new(sync.Mutex), new([]func()), make(chan struct{}, 1)}
}

// post leaves f to the loop.
func (m mailbox) post(f func()) {
	m.Lock()
	*m.work = append(*m.work, f)
	m.Unlock()
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// take is what was posted since the last take.
func (m mailbox) take() []func() {
	m.Lock()
	defer m.Unlock()
	w := *m.work
	*m.work = nil
	return w
}
