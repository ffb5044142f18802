package tes

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// peer is a BGP peer: an NVE, or the reflector before some.
type peer struct {
	up       bool
	synced   bool // it has told all that it has (End-of-RIB)
	epoch    uint64
	routerID evpn.RouterID
	as       uint32
	since    time.Time
	text     string // why the session is down
}

func (c *core) sessionUp(now time.Time, e speaker.Event) {
	c.peers[e.Peer] = &peer{up: true, epoch: e.Epoch, routerID: e.RouterID, as: e.AS, since: now}
	c.session(now, e.Peer, "up", "")
	for _, v := range c.sorted() {
		if c.cfg.hears(e.Peer, v.NVE) {
			v.attempts = 0
			if v.Wish.Phase == store.Again && v.Answer.Reason == evpn.Draining {
				v.againAt = now
			}
			if c.perVM(v) && c.ages(v) {
				v.keepAt = now
			}
			c.settle(now, v)
		}
	}
}

func (c *core) sessionDown(now time.Time, e speaker.Event) {
	p := c.peers[e.Peer]
	if p == nil || e.Epoch < p.epoch {
		return
	}
	p.up, p.synced, p.since, p.text = false, false, now, e.Text
	c.session(now, e.Peer, "down", e.Text)
	for _, v := range c.sorted() {
		if up, _ := c.up(v.NVE); !up && c.cfg.hears(e.Peer, v.NVE) {
			// The standing request goes out on the next session, and its response time begins then.
			v.silent, v.repeatAt, v.keepAt = false, time.Time{}, time.Time{}
			c.changed(v)
			c.settle(now, v)
		}
	}
}

// endOfRIB: what a peer did not say again since its session came up is not so any more.
func (c *core) endOfRIB(now time.Time, e speaker.Event) {
	p := c.peers[e.Peer]
	if p == nil || e.Epoch < p.epoch {
		return
	}
	p.synced = true
	c.responses.sweep(e.Peer, e.Epoch)
	for _, n := range c.cfg.NVEs {
		if n.Address == e.Peer {
			c.rebuild(now, n.ID)
		}
	}
	for _, v := range c.sorted() {
		if c.cfg.hears(e.Peer, v.NVE) {
			c.settle(now, v)
		}
	}
}

// up reports whether there is a session through which the NVE hears us, and whether one of them has told all.
func (c *core) up(nve evpn.RouterID) (up, synced bool) {
	for _, n := range c.cfg.NVEs {
		if p := c.peers[n.Address]; n.ID == nve && p != nil && p.up {
			up, synced = true, synced || p.synced
		}
	}
	return up, synced
}

func (c *core) session(now time.Time, peer netip.Addr, state, detail string) {
	c.stale = true
	c.log.Append(history.Event{
		At: now, Kind: history.KindSession, TES: c.cfg.ID.String(), Peer: peer.String(), State: state, Detail: detail,
	})
	c.logger.WithField("peer", peer).WithField("state", state).Info("session")
}
