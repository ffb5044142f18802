package debian_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/qemu"
)

// The dataplane's own tests, on the kernel that Debian's users have. Left out is what does not depend on the kernel, what runs on any, and rates, which are no such here.
func TestDataplaneOnDebiansKernel(t *testing.T) {
	kernel, err := qemu.Debian(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	binaries := []qemu.Binary{
		{Name: "dataplane/linux", Path: build(t, "../../dataplane/linux"), Args: []string{"-test.skip=^TestWhatCannotServeIsNamed$|^TestLimitsHold|^TestGuaranteeHolds|^TestContract$/^ebpf$"}},
		{Name: "dataplane/linux/tag", Path: build(t, "../../dataplane/linux/tag")},
	}
	qemu.Guest{
		Kernel: kernel,
		Modules: []string{
			"bridge", "8021q", "vxlan", "veth", "nf_tables", "nft_limit", "nft_ct", "nft_meta_bridge", "af_packet", "crc32c_generic",
			"sch_ingress", "cls_flower", "cls_matchall", "cls_u32", "cls_bpf", "act_vlan", "act_mirred", "act_gact", "act_skbedit", "act_police", "sch_htb", "ifb",
		},
		Tools:    []string{"ip", "bridge", "tc", "nft", "ping"},
		Binaries: binaries,
		Memory:   1024,
		Silence:  4 * time.Minute,
		Limit:    15 * time.Minute,
	}.Run(t)
}

// build makes a package's tests a program that needs nothing of its machine.
func build(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test")
	c := exec.CommandContext(t.Context(), "go", "test", "-tags", "vlan", "-c", "-o", path, pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", pkg, err, out)
	}
	return path
}
