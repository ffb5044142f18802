// Package daemon is what tesd and nved have in common: the command line ([Program]), how a daemon logs, and how its parts run together and stop
// ([Run]). nved's parts run in processes of their own ([Process]).
//
// A daemon stops on SIGTERM and SIGINT without telling its peers anything: no withdraw, no NOTIFICATION. What it advertised is then held by
// graceful restart, and what the kernel forwards stays. A second signal ends it at once.
package daemon
