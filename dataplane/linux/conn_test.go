package linux

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// A batch is acknowledged as a whole, and yet each message that the kernel refuses has its error, and no other has one: the first, one in the middle, and the last
// of several batches, and an answer to what is asked for beside them.
func TestBatch(t *testing.T) {
	s := newSpace(t)
	s.ports(t)
	k := s.kernel(t)
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	blue := k.networks[10100]
	const count = 3*batch - 1
	refused := map[int]bool{0: true, batch - 1: true, batch: true, 2*batch + 5: true, count - 1: true}
	var messages []message
	for i := range count {
		n := blue.inVXLAN(dataplane.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, netip.MustParseAddr("192.0.2.2"))
		if refused[i] {
			messages = append(messages, message{unix.RTM_DELNEIGH, 0, n.body()}) // it is not there
			continue
		}
		messages = append(messages, message{unix.RTM_NEWNEIGH, replacing, n.body()})
	}
	for i, r := range k.conn.do(t.Context(), messages) {
		if (r.err != nil) != refused[i] || refused[i] && !errors.Is(r.err, unix.ENOENT) {
			t.Errorf("message %d: %v, refused %v", i, r.err, refused[i])
		}
	}
	for i := range messages {
		messages[i] = neigh{family: unix.AF_BRIDGE, mac: dataplane.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, link: blue.vxlan, flags: unix.NTF_SELF}.get()
	}
	for i, r := range k.conn.do(t.Context(), messages) {
		n, ok := parseNeigh(r.data)
		if (r.err != nil) != refused[i] || ok == refused[i] || ok && n.mac[5] != byte(i) {
			t.Errorf("answer %d: %v, %+v", i, r.err, n)
		}
	}
}
