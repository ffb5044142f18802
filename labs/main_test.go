package labs_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// binaries is where the programs are that the labs' nodes run.
var binaries string

// seed makes a test with a random order do again what it did.
var seed = flag.Uint64("seed", 0, "of the random order of events; 0: another each time")

// bursts is how often the engine of each edge is killed in a burst.
var bursts = flag.Int("bursts", 5, "of kills of each engine in TestEngineKilledInBursts")

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "labs:", err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds the programs once for all labs.
func buildAndRun(m *testing.M) (code int, err error) {
	if binaries, err = os.MkdirTemp("", "tns-labs-bin"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(binaries)
	build := exec.Command("go", "build", "-o", binaries+"/",
		"../cmd/nved", "../cmd/tesd", "../cmd/tnsctl", "./reflector", "./run")
	if output, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build what the labs run: %w\n%s", err, output)
	}
	return m.Run(), nil
}
