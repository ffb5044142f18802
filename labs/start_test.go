package labs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/fdb"
)

const (
	manyRoutes = 1000
	starts     = 10
	startBound = 5 * time.Second // generous: the figure is what counts
)

// TestEngineStartMeasured prints how long it takes from the death of an engine until the next one has its whole table
// again: a thousand MACs of FRR's among it.
func TestEngineStartMeasured(t *testing.T) {
	l := deploy(t, "engine/topology.clab.yml")
	l.established("edge1", sessionsOf["edge1"])
	member := newVM(1)
	l.does("tes1", "associate", member.id, "--nic", member.nic)
	l.announcesMany()
	edge := l.control("edge1")
	l.settled()
	whole := edge.installed(l.ctx)
	if whole < manyRoutes {
		t.Fatalf("%d entries are installed, want %d and more", whole, manyRoutes)
	}
	var answers, tables []time.Duration
	for range starts {
		select { // the supervisor starts what has lived a second again at once
		case <-time.After(1100 * time.Millisecond):
		case <-l.ctx.Done():
			t.Fatal(context.Cause(l.ctx))
		}
		l.killProcess("edge1", "engine")
		killed := time.Now()
		var answered, table time.Duration
		l.soon("the table of the next engine", func() error {
			n := edge.installed(l.ctx)
			if n >= 0 && answered == 0 {
				answered = time.Since(killed)
			}
			if n != whole {
				return fmt.Errorf("%d of %d entries are installed", n, whole)
			}
			table = time.Since(killed)
			return nil
		})
		answers, tables = append(answers, answered), append(tables, table)
		if table >= startBound {
			t.Errorf("it took %v until the table was whole, want %v at most", table, startBound)
		}
	}
	t.Logf("%d entries, %d kills: the engine answers after %s, has its whole table after %s", whole, starts, spread(answers), spread(tables))
}

// TestStartIsNotWaitedFor: neither side of a session waits for the other's End-of-RIB until a timer has mercy on both.
func TestStartIsNotWaitedFor(t *testing.T) {
	l := deploy(t, "engine/topology.clab.yml")
	l.established("edge1", sessionsOf["edge1"])
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	l.settled()
	t.Run("an engine is killed before the peers were told all", func(t *testing.T) {
		l := l.in(t)
		l.restart("edge1")
		l.established("edge1", sessionsOf["edge1"])
		l.killProcess("edge1", "engine")
		l.settled()
		l.stands("edge1", v.id, tes1, "associated", "")
	})
	t.Run("nved and a TES are killed together", func(t *testing.T) {
		l := l.in(t)
		for _, node := range []string{"edge1", "tes1"} {
			if err := l.Kill(node); err != nil {
				t.Fatal(err)
			}
		}
		for _, node := range []string{"edge1", "tes1"} {
			if err := l.Start(node); err != nil {
				t.Fatal(err)
			}
		}
		l.established("edge1", sessionsOf["edge1"])
		l.settled()
		l.stands("edge1", v.id, tes1, "associated", "")
	})
}

// spread is the median of durations and their range.
func spread(d []time.Duration) string {
	slices.Sort(d)
	return fmt.Sprintf("%.0f ms (%.0f to %.0f)", milliseconds(d[len(d)/2]), milliseconds(d[0]), milliseconds(d[len(d)-1]))
}

// announcesMany has the plain VTEP announce MACs, and waits until edge1's kernel has them all.
func (l lab) announcesMany() {
	l.t.Helper()
	var batch strings.Builder
	for n := range manyRoutes {
		fmt.Fprintf(&batch, "fdb add 02:00:00:01:%02x:%02x dev blue master static\n", n>>8, n&0xff)
	}
	c := l.Command(l.ctx, "vtep", "bridge", "-batch", "-")
	c.Stdin = strings.NewReader(batch.String())
	if output, err := c.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, output)
	}
	l.soon("the FDB of edge1", func() error {
		table, err := fdb.Read(l.Namespace("edge1"), device)
		if err == nil && len(table.MACs) < manyRoutes {
			err = fmt.Errorf("%d of %d MACs", len(table.MACs), manyRoutes)
		}
		return err
	})
}

// control is a client of an edge's control API that notices at once when the edge is back.
type control struct{ tnsv1.ControlClient }

func (l lab) control(edge string) control {
	l.t.Helper()
	soon := backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}
	connection, err := grpc.NewClient("unix://"+l.Path(edge, "/run/tns/nved.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: time.Second}))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { connection.Close() })
	return control{tnsv1.NewControlClient(connection)}
}

// installed counts the entries of the edge's table that its kernel has, -1 if it does not answer.
func (c control) installed(ctx context.Context) int {
	r, err := c.ListFDB(ctx, &tnsv1.ListFDBRequest{})
	if err != nil {
		return -1
	}
	n := 0
	for _, e := range r.Entries {
		if e.State == tnsv1.FDBEntry_STATE_INSTALLED {
			n++
		}
	}
	return n
}
