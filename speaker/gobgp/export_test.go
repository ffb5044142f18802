package gobgp

import (
	"context"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// StartPlain starts a GoBGP that is not ours beside ours, and stops it with the test.
func StartPlain(t testing.TB, global *api.Global) *server.BgpServer {
	t.Helper()
	turn := newTurn()
	log := newLogger(discard(), nil, func(string, gobgplog.Fields) {}, func(err error) { panic(err) })
	srv := newServer(server.LoggerOption(log), server.TimingHookOption(turn))
	go srv.Serve()
	t.Cleanup(func() {
		stopServer(srv, log)
		turn.end()
	})
	if err := turn.start(context.Background(), srv, global); err != nil {
		t.Fatal(err)
	}
	return srv
}

// Settle has the speaker wait so long for a peer to be quiet: on a busy machine one that has more to say may be for longer than settleTime.
func (c *Config) Settle(d time.Duration) { c.settle = d }

// Decode is decode.
var Decode = decode
