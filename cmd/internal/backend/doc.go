// Package backend is what the control APIs of tesd and nved have in common: events, sessions, the version, and the words of package evpn as the
// API's values.
package backend
