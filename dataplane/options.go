package dataplane

import "time"

// Option changes a default of a Reconciler.
type Option func(*options)

type options struct {
	interval           time.Duration
	minDelay, maxDelay time.Duration
}

func defaults() options {
	return options{interval: time.Minute, minDelay: 100 * time.Millisecond, maxDelay: 30 * time.Second}
}

// Interval is the time between two full passes that nothing else caused. Default 60 s; 0 means never.
func Interval(d time.Duration) Option { return func(o *options) { o.interval = d } }

// Backoff bounds the time before a failed entry is tried again: the first delay and the longest; each is twice the one
// before. The first is also the pause between two full passes that the kernel's signals cause. Default 100 ms and 30 s.
func Backoff(first, longest time.Duration) Option {
	return func(o *options) { o.minDelay, o.maxDelay = first, longest }
}

// delay is the time to wait after the given number of failures in a row.
func (o options) delay(failures int) time.Duration {
	d := o.minDelay
	for range failures - 1 {
		if d >= o.maxDelay/2 {
			return o.maxDelay
		}
		d *= 2
	}
	return min(d, o.maxDelay)
}
