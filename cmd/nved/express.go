package main

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/speaker/guard"
)

// expressLinger is how long an edge is called on that says EDGE no more: its last VM in the last VN that we have, too, may be followed by another.
const expressLinger = 10 * time.Second

// refusedPause is how long the guard has before it is asked again to call those that it refused: what it has no place for it may have a place for then.
const refusedPause = 10 * time.Second

// expressOf is the express path as the edge is told of it.
func expressOf(c *config.NVE) *nve.Express {
	x := c.Express
	if x == nil {
		return nil
	}
	return &nve.Express{Address: x.LocalAddress, Peers: x.Peers, Max: x.MaxSessions, Linger: expressLinger}
}

// expressPeers is the other edges as the guard of the fabric is told of them: it takes their sessions, and opens one when the edge calls them.
func expressPeers(x *config.Express) (peers []guard.Peer) {
	for _, p := range x.Peers {
		peers = append(peers, guard.Peer{
			Prefix: p, Dynamic: true, AS: x.AS, Port: x.Port, LocalAddress: x.LocalAddress, HoldTime: x.HoldTime, ConnectRetry: x.ConnectRetry,
			Password: x.Password, SecurityHops: x.TTLSecurityHops, MessageRate: x.MessageRate, MaxRoutes: x.MaxRoutes, Description: "express",
		})
	}
	return peers
}

// operator tells the guard whom the edge calls. It is an nve.Caller.
type operator struct {
	mu      sync.Mutex
	list    guard.CallList
	changed chan struct{} // capacity 1
	pause   time.Duration // refusedPause
	retry   *time.Timer   // after the pause
}

func newOperator() *operator { return &operator{changed: make(chan struct{}, 1), pause: refusedPause} }

// Call implements nve.Caller. A list that was not told yet is forgotten for the newer one, but not that nobody else is to be called.
func (o *operator) Call(addresses []netip.Addr, only bool) {
	o.mu.Lock()
	o.list = guard.CallList{Addresses: addresses, Only: only || o.list.Only}
	o.mu.Unlock()
	o.again()
}

// again has the list told once more.
func (o *operator) again() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

func (o *operator) now() guard.CallList {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list
}

// later has the list told once more after the pause, however often it is asked to.
func (o *operator) later() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.retry != nil {
		o.retry.Stop()
	}
	o.retry = time.AfterFunc(o.pause, o.again)
}

// run tells the guard, and any guard that comes later.
func (o *operator) run(ctx context.Context, log *logrus.Entry, g guard.Client) error {
	for ctx.Err() == nil {
		err := o.tell(ctx, log, g)
		log.WithError(err).Debug("the guard is gone")
		select {
		case <-time.After(retryTime):
		case <-ctx.Done():
		}
	}
	return nil
}

// tell tells one guard as long as it is there.
func (o *operator) tell(ctx context.Context, log *logrus.Entry, g guard.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	defer telling.Wait()
	defer cancel()
	lists := make(chan guard.CallList)
	telling.Go(func() {
		for {
			select {
			case lists <- o.now():
			case <-ctx.Done():
				return
			}
			select {
			case <-o.changed:
			case <-ctx.Done():
				return
			}
		}
	})
	var before map[netip.Addr]string
	return g.Call(ctx, lists, func(refused map[netip.Addr]string) {
		for a, why := range refused {
			if before[a] != why {
				log.WithFields(logrus.Fields{"peer": a, "reason": why}).Warn("express: the guard does not call")
			}
		}
		if before = refused; len(refused) > 0 {
			o.later()
		}
	})
}
