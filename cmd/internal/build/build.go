// Package build tells which build of the programs this is.
package build

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker (make build): -X …/cmd/internal/build.version=….
var version string

// Version is the build's version: the linker's stamp, else the module's version, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Go is the version of the compiler.
func Go() string { return runtime.Version() }
