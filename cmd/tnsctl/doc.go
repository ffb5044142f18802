// Command tnsctl is the operator's tool for tesd and nved.
//
// It asks a daemon's control API, prints tables for people or, with --json, one object or array (one object a line for `events --follow`),
// and ends with status 0 done, 1 refused or failed, 2 usage, 3 no daemon, no session or no answer by the time-out.
package main
