package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// stream sends by TCP from one VM to another for as long as told, and returns how many octets a second arrived, without the first moment, in which
// the burst goes.
func stream(t testing.TB, from, to vm, address string, during time.Duration) float64 {
	t.Helper()
	var l net.Listener
	to.in(t, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(address, "0"))
		return err
	})
	defer l.Close()
	var out net.Conn
	from.in(t, func() (err error) {
		out, err = net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
		return err
	})
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		block := make([]byte, 64<<10)
		for {
			if _, err := out.Write(block); err != nil {
				return
			}
		}
	}()
	read := func(d time.Duration) int64 {
		in.SetReadDeadline(time.Now().Add(d))
		n, err := io.Copy(io.Discard, in)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("receive: %v", err)
		}
		return n
	}
	read(time.Second / 2)
	begin := time.Now()
	n := read(during)
	return float64(n) / time.Since(begin).Seconds()
}

// within fails the test if more than want and 15 % goes through, or less than want without them, three times in a row: a busy machine makes one measurement too low,
// and none too high.
func within(t testing.TB, what string, measure func() float64, want float64) {
	t.Helper()
	var all []string
	for range 3 {
		got := measure()
		all = append(all, fmt.Sprintf("%.2f", got/1e6))
		if got > want*1.15 {
			break
		}
		if got >= want*0.85 {
			t.Logf("%s: %s Mbit/s, limit %.2f", what, strings.Join(all, ", "), want/1e6)
			return
		}
	}
	t.Errorf("%s: %s Mbit/s, want within 15 %% of %.2f", what, strings.Join(all, ", "), want/1e6)
}

func TestLimitsHoldInBothDirections(t *testing.T) {
	l := newPair(t)
	l.a.takeIPv6(t)
	l.c.takeIPv6(t)
	const rate = 20e6
	for _, c := range []struct {
		name string
		who  vm
		p    dataplane.VMPolicy
	}{
		{"from the VM", l.a, dataplane.VMPolicy{From: dataplane.Direction{Limit: dataplane.Limit{Rate: rate}}}},
		{"to the VM", l.c, dataplane.VMPolicy{To: dataplane.Direction{Limit: dataplane.Limit{Rate: rate}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := l.policy(c.who, c.p)
			l.set(t, e)
			within(t, "TCP over IPv4", func() float64 { return 8 * stream(t, l.a, l.c, l.c.ip4.String(), 3*time.Second) }, rate)
			within(t, "TCP over IPv6", func() float64 { return 8 * stream(t, l.a, l.c, l.c.ip6.String(), 3*time.Second) }, rate)
			within(t, "a flood of UDP", func() float64 { return l.flood(t, 2*rate, 2*time.Second) }, rate)
			counters, err := l.edge.k.Counters(t.Context(), e.Key)
			if err != nil {
				t.Fatal(err)
			}
			from, to := counters[e.Key].FromLimited.Frames, counters[e.Key].ToLimited.Frames
			if c.who.mac == l.a.mac && (from == 0 || to != 0) || c.who.mac == l.c.mac && (from != 0 || to == 0) {
				t.Errorf("%d frames from the VM and %d to it counted as above the limit", from, to)
			}
			dataplanetest.Listed(t, l.edge.k, append(l.entries(), e)...)

			dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
			if free := 8 * stream(t, l.a, l.c, l.c.ip4.String(), time.Second); free < 5*rate {
				t.Errorf("without the policy it is %.2f Mbit/s", free/1e6)
			}
		})
	}
}

// flood sends UDP at a rate, in bits/s, from a to c, and returns at which it arrives.
func (l *pairLab) flood(t testing.TB, rate float64, during time.Duration) float64 {
	t.Helper()
	f := ip(l.c.mac, l.a.mac, l.a.ip4, l.c.ip4, 17, append(ported(7, 7), make([]byte, 1200)...))
	arrived := l.c.countOctets(t)
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	begin, sent := time.Now(), 0.0
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var first float64
	var firstAt time.Time
	for ctx.Err() == nil {
		<-tick.C
		for sent < rate/8*time.Since(begin).Seconds() {
			l.at.send(t, f)
			sent += float64(len(f))
		}
		if firstAt.IsZero() && time.Since(begin) > during/4 { // the burst is gone by now
			firstAt = time.Now() // before it is asked, which may take long: what is measured is not too high
			first = arrived()
		}
	}
	return 8 * (arrived() - first) / time.Since(firstAt).Seconds()
}

// countOctets counts what arrives at the VM in UDP.
func (v vm) countOctets(t testing.TB) func() float64 {
	t.Helper()
	v.count(t, "eth0", "ingress", "udp dport 7")
	chain := fmt.Sprintf("watch%d", counters)
	return func() float64 {
		_, rest, _ := strings.Cut(v.run(t, "nft list chain netdev watch %s", chain), "bytes ")
		var n float64
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// entries is what the lab begins with.
func (l *pairLab) entries() []dataplane.Entry {
	return []dataplane.Entry{
		dataplanetest.Local(vni, l.a.mac, "blue1"), dataplanetest.Opened(vni, "blue1"), dataplanetest.Local(vni, l.c.mac, "blue2"), dataplanetest.Opened(vni, "blue2"),
	}
}

// Two VMs behind one port, of which one is guaranteed most of it, get what each is to have, whoever asks for more; without the guarantee the other takes its
// share by force.
func TestGuaranteeHoldsAgainstAFlood(t *testing.T) {
	l := newPair(t) // blue2 sends 20 Mbit/s
	const bandwidth, guarantee = 20e6, 14e6
	e := l.policy(l.c, dataplane.VMPolicy{Guarantee: guarantee})
	l.set(t, e)
	dataplanetest.Listed(t, l.edge.k, append(l.entries(), e)...)
	other := dataplane.MAC{2, 0, 0, 0, 0, 4} // behind the same port, and to be flooded
	l.set(t, dataplanetest.Local(vni, other, "blue2"))

	f := ip(other, l.a.mac, l.a.ip4, addr("10.0.0.4"), 17, append(ported(9, 9), make([]byte, 1300)...))
	ctx, stop := context.WithCancel(t.Context())
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		begin, sent := time.Now(), 0.0
		for tick := time.Tick(time.Millisecond); ctx.Err() == nil; <-tick {
			for sent < 2*bandwidth/8*time.Since(begin).Seconds() {
				l.at.send(t, f)
				sent += float64(len(f))
			}
		}
	}()
	got := 8 * stream(t, l.a, l.c, l.c.ip4.String(), 3*time.Second)
	stop()
	<-flooded
	t.Logf("%.2f Mbit/s beside a flood of twice the port's bandwidth", got/1e6)
	if got < guarantee*0.85 {
		t.Errorf("%.2f Mbit/s, %.2f are guaranteed", got/1e6, guarantee/1e6)
	}
	stream(t, l.a, l.c, l.c.ip4.String(), 2*time.Second) // while what waits of the flood goes
	if all := 8 * stream(t, l.a, l.c, l.c.ip4.String(), 2*time.Second); all < bandwidth*0.80 || all > bandwidth*1.05 {
		t.Errorf("%.2f Mbit/s alone on a port of %.2f", all/1e6, bandwidth/1e6)
	}

	for _, c := range []struct {
		name   string
		change func(e *dataplane.Entry)
		wrong  string
	}{
		{"more than the port has", func(e *dataplane.Entry) { e.Policy = &dataplane.VMPolicy{Guarantee: 7e6} }, "21000000 bit/s cannot be guaranteed on blue2: its bandwidth is 20000000"},
	} {
		b := dataplanetest.Policed(vni, other, "blue2", dataplane.VMPolicy{})
		c.change(&b)
		if err := l.edge.k.Apply(t.Context(), []dataplane.Entry{b}, nil)[0]; err == nil || !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.wrong)
		}
	}
	dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
	if out := l.edge.run(t, "tc qdisc show dev blue2"); strings.Contains(out, "htb") {
		t.Errorf("without a guarantee blue2 has %s", out)
	}
}
