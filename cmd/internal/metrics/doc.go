// Package metrics is the daemons' HTTP side: /metrics for Prometheus, /healthz (the process serves) and /readyz (it does its job).
//
// Nothing is counted here. Each scrape asks the daemon for its figures ([Source]), which the parts count where they happen.
package metrics
