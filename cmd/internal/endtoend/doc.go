// Package endtoend tests the programs as they are run: tesd and nved in network namespaces of their own, joined by a link, and tnsctl. It sees what a
// user sees: what tnsctl and gobgp print, exit statuses, metrics, and the kernel's tables.
package endtoend
