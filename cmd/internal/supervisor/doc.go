// Package supervisor runs a daemon as several processes under one command: the daemon's own program, started again with another command each, and started
// anew whenever one ends.
//
//	nved ──┬── nved guard     what a child is to know comes over a socket, of which each side holds an end:
//	       └── nved engine    the handover, then "ready" back, and what the next one is to know; its end tells that the other side is gone
//
// Nothing is passed in arguments or in the environment, where others could read it. A child whose supervisor is gone, however that ended, stops.
package supervisor
