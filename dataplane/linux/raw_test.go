package linux

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// raw is a program that does nothing but write: one message an entry for both tables, 128 in a system call, the last one acknowledged. It knows nothing, keeps
// nothing, and stops at the first error.
type raw struct {
	fd   int
	seq  uint32
	buf  []byte
	recv [4096]byte
}

func (s space) raw(t testing.TB) *raw {
	t.Helper()
	r := new(raw)
	s.in(t, func() (err error) {
		r.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		return err
	})
	t.Cleanup(func() { unix.Close(r.fd) })
	if err := unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *raw) write(t testing.TB, kind, flags uint16, link int, all []dataplane.Entry) {
	t.Helper()
	for batch := range slices.Chunk(all, 128) {
		b := r.buf[:0]
		for i, e := range batch {
			r.seq++
			f := flags | unix.NLM_F_REQUEST
			if i == len(batch)-1 {
				f |= unix.NLM_F_ACK
			}
			b = binary.NativeEndian.AppendUint32(b, 16+12+12+8)
			b = binary.NativeEndian.AppendUint16(b, kind)
			b = binary.NativeEndian.AppendUint16(b, f)
			b = binary.NativeEndian.AppendUint32(b, r.seq)
			b = append(b, 0, 0, 0, 0, unix.AF_BRIDGE, 0, 0, 0)
			b = binary.NativeEndian.AppendUint32(b, uint32(link))
			b = binary.NativeEndian.AppendUint16(b, netlink.NUD_REACHABLE)
			b = append(b, netlink.NTF_SELF|netlink.NTF_MASTER|netlink.NTF_EXT_LEARNED, 0)
			b = append(b, 10, 0, netlink.NDA_LLADDR, 0)
			b = append(append(b, e.MAC[:]...), 0, 0, 8, 0, netlink.NDA_DST, 0)
			vtep := e.VTEP.As4()
			b = append(b, vtep[:]...)
		}
		r.buf = b
		if err := unix.Sendto(r.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatal(err)
		}
		n, _, err := unix.Recvfrom(r.fd, r.recv[:], 0)
		if err != nil {
			t.Fatal(err)
		}
		if errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(r.recv[16:]))); n < 20 || errno != 0 {
			t.Fatalf("%d octets, %v", n, errno)
		}
	}
}

// used is the CPU time of this process.
func used(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spent is what some ways to write have taken, in µs an entry, each time.
type spent struct{ wall, cpu []float64 }

func (s *spent) measure(t testing.TB, n int, do func()) {
	t.Helper()
	cpu, began := used(t), time.Now()
	do()
	s.wall = append(s.wall, float64(time.Since(began).Nanoseconds())/1000/float64(n))
	s.cpu = append(s.cpu, float64((used(t)-cpu).Nanoseconds())/1000/float64(n))
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// BenchmarkAgainstRaw writes and deletes the same entries with Apply and with a program that does nothing else, in turns, each in a namespace of its own: in the other
// program's nobody listens. "ratio" is of the medians; on a machine with other work, that of the CPU time says more.
func BenchmarkAgainstRaw(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := bulk(n)
			var keys []dataplane.Key
			for _, e := range all {
				keys = append(keys, e.Key)
			}
			quiet, other := benchWorld(b)
			vxlan := other.networks[10100].vxlan
			other.Close()
			r := quiet.raw(b)
			_, k := benchWorld(b)
			apply := func(set []dataplane.Entry, del []dataplane.Key) func() {
				return func() {
					if err := errorIn(k.Apply(b.Context(), set, del)); err != nil {
						b.Fatal(err)
					}
				}
			}
			_, k2 := benchWorld(b)
			loop := startLoop(b, k2)
			var rawAdd, rawDel, add, del, loopAdd, loopDel spent
			for b.Loop() {
				rawAdd.measure(b, n, func() { r.write(b, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, vxlan, all) })
				rawDel.measure(b, n, func() { r.write(b, unix.RTM_DELNEIGH, 0, vxlan, all) })
				add.measure(b, n, apply(all, nil))
				del.measure(b, n, apply(nil, keys))
				loopAdd.measure(b, n, func() {
					for _, e := range all {
						loop.Set(e)
					}
					results(b, loop, n)
				})
				loopDel.measure(b, n, func() {
					for _, key := range keys {
						loop.Unset(key)
					}
					results(b, loop, n)
				})
			}
			for _, m := range []struct {
				what     string
				raw, our spent
			}{{"raw-add", rawAdd, rawAdd}, {"add", rawAdd, add}, {"loop-add", rawAdd, loopAdd}, {"raw-del", rawDel, rawDel}, {"del", rawDel, del}, {"loop-del", rawDel, loopDel}} {
				b.ReportMetric(median(m.our.wall), m.what+"-us")
				b.ReportMetric(median(m.our.wall)/median(m.raw.wall), m.what+"-ratio")
				b.ReportMetric(median(m.our.cpu)/median(m.raw.cpu), m.what+"-cpu-ratio")
			}
		})
	}
}

// startLoop runs a Reconciler until the benchmark ends.
func startLoop(b *testing.B, k *Kernel) *dataplane.Reconciler {
	r := dataplane.NewReconciler(k)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	if _, _, err := r.Resync(b.Context()); err != nil {
		b.Fatal(err)
	}
	return r
}

// results takes n results, as an edge does.
func results(b *testing.B, r *dataplane.Reconciler, n int) {
	var some []dataplane.Result
	for n > 0 {
		<-r.Answers().Ready()
		some, _ = r.Answers().Take(some[:0], 256)
		for _, res := range some {
			if res.Err != nil {
				b.Fatal(res.Err)
			}
		}
		n -= len(some)
	}
}
