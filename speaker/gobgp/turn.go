package gobgp

import (
	"context"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// GoBGP keeps two settings in variables of the process. Every server writes them when it starts, always with the same values here, and every other reads
// them. A daemon has two servers, so the others stand still for the moment.

// turns are the servers of the process. Its lock is held for reading by whoever reads the settings outside of a server's loop.
var turns = struct {
	sync.RWMutex
	running map[*turn]*server.BgpServer
}{running: make(map[*turn]*server.BgpServer)}

// making is held while a server is made, which writes a variable of the gRPC library.
var making sync.Mutex

func newServer(options ...server.ServerOption) *server.BgpServer {
	making.Lock()
	defer making.Unlock()
	return server.NewBgpServer(options...)
}

// turn is a server's hook into its loop, which calls it after each thing it did.
type turn struct {
	stop chan func() // capacity 1
}

func newTurn() *turn { return &turn{stop: make(chan func(), 1)} }

// Observe implements server.FSMTimingHook.
func (t *turn) Observe(server.FSMOperation, time.Duration, time.Duration) {
	select {
	case wait := <-t.stop:
		wait()
	default:
	}
}

// start starts BGP while the loops of all other servers wait.
func (t *turn) start(ctx context.Context, srv *server.BgpServer, global *api.Global) error {
	turns.Lock()
	defer turns.Unlock()
	var standing, woken sync.WaitGroup
	release := make(chan struct{})
	for other, running := range turns.running {
		standing.Add(1)
		other.stop <- func() { standing.Done(); <-release }
		woken.Go(func() { _, _ = running.GetBgp(ctx, &api.GetBgpRequest{}) }) // something to do, so that the hook is called
	}
	standing.Wait()
	err := srv.StartBgp(ctx, &api.StartBgpRequest{Global: global})
	close(release)
	woken.Wait()
	if err == nil {
		turns.running[t] = srv
	}
	return err
}

// end takes a stopped server out.
func (t *turn) end() {
	turns.Lock()
	defer turns.Unlock()
	delete(turns.running, t)
}
