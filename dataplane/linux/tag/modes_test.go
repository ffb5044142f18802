package tag

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/dataplane"
)

const (
	blue dataplane.VNI = 10100
	red  dataplane.VNI = 10200
)

func vids(send, also uint16) dataplane.VIDs { return dataplane.VIDs{Send: send, Also: also} }

func TestVNsOnATrunkAreToldApartByTheirVID(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { toldApart(t, m) })
}

func toldApart(t *testing.T, m mode) {
	_, e, trunk, inBlue, inRed := m.world(t)
	trunk.send(t, frame(100, 1))
	inBlue.gets(t, 0, 1)
	trunk.send(t, frame(200, 2))
	inRed.gets(t, 0, 2)
	inBlue.send(t, frame(0, 3))
	trunk.gets(t, 100, 3)
	inRed.send(t, frame(0, 4))
	trunk.gets(t, 200, 4)

	trunk.send(t, frame(0, 5))
	trunk.send(t, frame(300, 6))
	trunk.send(t, frame(0x2000, 7)) // a priority tag has VID 0
	inBlue.getsNothing(t)
	inRed.getsNothing(t)
	drops, err := e.Drops()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]uint64{"eth1": 3}, drops); d != "" {
		t.Errorf("drops (-want +got):\n%s", d)
	}
}

func TestPriorityIsPCP(t *testing.T) { eachMode(t, func(t *testing.T, m mode) { priorityIsPCP(t, m) }) }

func priorityIsPCP(t *testing.T, m mode) {
	w, e, trunk, _, _ := m.world(t)
	port := w.wire(t, "eth1.v10100")
	for p := range 8 {
		port.priority(t, p)
		port.send(t, frame(0, uint32(p)))
		trunk.gets(t, uint16(p)<<13|100, uint32(p))
	}
	port.priority(t, 8)
	port.send(t, frame(0, 8))
	trunk.gets(t, 100, 8)

	// from the trunk into the bridge and out of it again
	device, err := e.Attach("eth1", 10300)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Set("eth1", 10300, vids(300, 0)); err != nil {
		t.Fatal(err)
	}
	w.run(t, "ip link set %s master br-eth1.v10100", device)
	w.up(t, device)
	trunk.send(t, frame(5<<13|100, 9))
	trunk.gets(t, 5<<13|300, 9)
}

func TestTwoVIDsWorkWhileOneChanges(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { twoVIDs(t, m) })
}

func twoVIDs(t *testing.T, m mode) {
	_, e, trunk, inBlue, inRed := m.world(t)
	set := func(v dataplane.VIDs) {
		t.Helper()
		if err := e.Set("eth1", blue, v); err != nil {
			t.Fatal(err)
		}
	}
	set(vids(100, 101))
	trunk.send(t, frame(100, 1))
	inBlue.gets(t, 0, 1)
	trunk.send(t, frame(101, 2))
	inBlue.gets(t, 0, 2)
	inBlue.send(t, frame(0, 3))
	trunk.gets(t, 100, 3)
	set(vids(101, 100))
	inBlue.send(t, frame(0, 4))
	trunk.gets(t, 101, 4)
	set(vids(101, 0))
	trunk.send(t, frame(100, 5))
	inBlue.getsNothing(t)

	err := e.Set("eth1", red, vids(200, 101))
	if err == nil || !strings.Contains(err.Error(), "VID 101 is VN 10100's there") {
		t.Errorf("another VN's VID: %v", err)
	}
	trunk.send(t, frame(101, 6))
	inBlue.gets(t, 0, 6)
	if err := e.Unset("eth1", blue); err != nil {
		t.Fatal(err)
	}
	trunk.send(t, frame(101, 7))
	inBlue.getsNothing(t)
	inBlue.send(t, frame(0, 8))
	trunk.getsNothing(t)
	if err := e.Set("eth1", red, vids(101, 200)); err != nil {
		t.Fatalf("a VID that was given up: %v", err)
	}
	trunk.send(t, frame(101, 9))
	inRed.gets(t, 0, 9)
}

func TestTheNextRunFindsWhatThisOneLeft(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { nextRun(t, m) })
}

func nextRun(t *testing.T, m mode) {
	w, e, trunk, inBlue, _ := m.world(t)
	if err := e.Set("eth1", blue, vids(101, 100)); err != nil {
		t.Fatal(err)
	}
	trunk.send(t, frame(0, 1))
	e.Close()
	trunk.send(t, frame(100, 2))
	inBlue.gets(t, 0, 2)
	before := w.settled(t) + w.run(t, "tc filter show dev eth1 ingress")

	next := m.tagger(t, w)
	for _, vni := range []dataplane.VNI{blue, red} {
		if _, err := next.Attach("eth1", vni); err != nil {
			t.Fatal(err)
		}
	}
	if after := w.run(t, "ip -o link") + w.run(t, "tc filter show dev eth1 ingress"); after != before {
		t.Errorf("adopting changed\n%s\nto\n%s", before, after)
	}
	got, err := next.List()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b Attachment) int { return int(a.VNI) - int(b.VNI) })
	want := []Attachment{{"eth1", blue, "eth1.v10100", vids(101, 100)}, {"eth1", red, "eth1.v10200", vids(200, 0)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}
	if drops, err := next.Drops(); err != nil || drops["eth1"] != 1 {
		t.Errorf("drops %v, %v, want 1 as before", drops, err)
	}
	if err := next.Set("eth1", blue, vids(101, 0)); err != nil {
		t.Fatal(err)
	}
	trunk.send(t, frame(101, 3))
	inBlue.gets(t, 0, 3)
}

func TestDetachLeavesNothing(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { detached(t, m) })
}

func detached(t *testing.T, m mode) {
	w, e, _, _, _ := m.world(t)
	for _, vni := range []dataplane.VNI{blue, red, red} {
		if err := e.Detach("eth1", vni); err != nil {
			t.Fatal(err)
		}
	}
	if links := w.run(t, "ip -o link"); strings.Contains(links, " eth1.") {
		t.Errorf("left over:\n%s", links)
	}
	if trunk := w.run(t, "ip link show eth1"); strings.Contains(trunk, "PROMISC") {
		t.Errorf("left over: %s", trunk)
	}
	if filters := w.run(t, "tc filter show dev eth1 ingress"); filters != "" {
		t.Errorf("left over at the trunk: %s", filters)
	}
}

func TestATrunkThatIsMadeAnewWorksAgain(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { madeAnew(t, m) })
}

func madeAnew(t *testing.T, m mode) {
	w, e, _, inBlue, _ := m.world(t)
	w.run(t, "ip link del eth1")
	w.trunk(t, "eth1")
	device, err := e.Attach("eth1", blue)
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, "ip link set %s up master br-%s", device, device) // it may be another one now
	got, err := e.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		if a.VIDs != (dataplane.VIDs{}) {
			t.Errorf("%s still has VIDs %v, though its trunk is new", a.Device, a.VIDs)
		}
	}
	if err := e.Set("eth1", blue, vids(100, 0)); err != nil {
		t.Fatal(err)
	}
	trunk := w.wire(t, "eth1-")
	trunk.send(t, frame(100, 1))
	inBlue.gets(t, 0, 1)
	inBlue.send(t, frame(0, 2))
	trunk.gets(t, 100, 2)
}

func TestWhatCannotBeATrunkIsNamed(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) { noTrunk(t, m) })
}

func noTrunk(t *testing.T, m mode) {
	w := newWorld(t)
	e := m.tagger(t, w)
	if _, err := e.Attach("eth9", blue); err == nil || !strings.Contains(err.Error(), "eth9") {
		t.Errorf("no such port: %v", err)
	}
	w.run(t, "ip link add eth1.v10100 type veth peer name other")
	if _, err := e.Attach("eth1", blue); err == nil || !strings.Contains(err.Error(), `device eth1.v10100 is there already, and its alias is "", "tns `+m.mode.String()+` 10100 on eth1" is needed`) {
		t.Errorf("somebody else's device: %v", err)
	}
	w.run(t, "ip link add br0 type bridge")
	w.run(t, "ip link set eth1 master br0")
	if _, err := e.Attach("eth1", red); err == nil || !strings.Contains(err.Error(), "eth1 is in a bridge, a trunk must be in none") {
		t.Errorf("a port of a bridge: %v", err)
	}
}

// One frame after the other passes in both directions while the VID changes a hundred times.
func TestNoFrameIsLostWhileVIDsChange(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		_, tagger, trunk, inBlue, _ := m.world(t)
		done := make(chan error, 1)
		stop := make(chan struct{})
		go func() {
			from, to := uint16(100), uint16(101)
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				for _, v := range []dataplane.VIDs{vids(from, to), vids(to, from), vids(from, to), vids(from, 0)} {
					if err := tagger.Set("eth1", blue, v); err != nil {
						done <- err
						return
					}
				}
			}
		}()
		for n := range uint32(1000) {
			trunk.send(t, frame(100, n)) // which works in every step
			inBlue.gets(t, 0, n)
			inBlue.send(t, frame(0, n))
			if got, err := trunk.receive(); err != nil || got.number != n || got.tci != 100 && got.tci != 101 {
				t.Fatalf("frame %d: %+v, %v", n, got, err)
			}
		}
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
