// Package evpn is EVPN in our words.
package evpn
