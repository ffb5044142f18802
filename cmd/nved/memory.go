package main

import "github.com/tns-project/tns/speaker"

// heard is an inbox of which somebody else wants to know how many events are taken from it.
type heard struct {
	speaker.Inbox
	note func(events int)
}

// Take implements speaker.Inbox.
func (h heard) Take(into []speaker.Event, most int) (events []speaker.Event, open bool) {
	events, open = h.Inbox.Take(into, most)
	h.note(len(events) - len(into))
	return events, open
}
