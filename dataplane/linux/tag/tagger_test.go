package tag

import (
	"testing"

	"github.com/tns-project/tns/dataplane"
)

func TestDeviceNamesFit(t *testing.T) {
	for _, c := range []struct {
		port string
		vni  uint32
		want string
	}{
		{"eth1", 10100, "eth1.v10100"},
		{"enp3s0", 100, "enp3s0.v100"},
		{"eth1", 16777215, "eth1.v16777215"},
		{"enp131s0f0np0", 16777215, "t5c1e.v16777215"},
		{"enp131s0f1np1", 16777215, "tc650.v16777215"},
	} {
		got := Device(c.port, dataplane.VNI(c.vni))
		if got != c.want || len(got) > 15 {
			t.Errorf("%s in %d: %q of %d octets, want %q", c.port, c.vni, got, len(got), c.want)
		}
	}
}
