package gobgp

import (
	"context"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// StartPlain starts a GoBGP that is not ours beside ours, and stops it with the test.
func StartPlain(t testing.TB, global *api.Global, options ...server.ServerOption) *server.BgpServer {
	t.Helper()
	turn := newTurn()
	srv := server.NewBgpServer(append(options, server.TimingHookOption(turn))...)
	go srv.Serve()
	t.Cleanup(func() {
		srv.Stop()
		turn.end()
	})
	if err := turn.start(context.Background(), srv, global); err != nil {
		t.Fatal(err)
	}
	return srv
}
