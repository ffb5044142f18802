package guarded

import "github.com/tns-project/tns/speaker/link"

// Show has the guard tell the table for people what peers have said and say, or nothing any more, which is so at first. It counts for every guard that comes.
func (s *Speaker) Show(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == on {
		return
	}
	s.shown = on
	m := link.Message{Kind: link.Hide}
	if on {
		m.Kind = link.Show
	}
	if o := s.out; o != nil {
		o.append(&m)
	}
}
