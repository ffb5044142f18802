package guard_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// fate is what becomes of a message that a peer sends.
type fate uint8

const (
	unchanged fate = iota // goes on as it came
	changed               // attributes are discarded, routes skipped, communities hidden, or it is written anew
	withdrawn             // treated as withdraw
	dropped               // nothing is left of it
	noUpdate              // ROUTE-REFRESH, KEEPALIVE
	resetting             // ends the session
	fates
)

// String is the fate as the figures in docs/fuzzing.md call it.
func (f fate) String() string {
	return [fates]string{"unchanged", "changed", "treated as withdraw", "nothing left", "no UPDATE", "session reset"}[f]
}

// tally counts messages by their fate, and what the guard is to count.
type tally struct {
	messages [fates]int
	behind   int // of the messages, those in the same write as the one that ends the session, before it
	sessions int
	updates  uint64 // with those that are no mutations
	refusals uint64
}

func (t *tally) add(u tally) {
	for i, n := range u.messages {
		t.messages[i] += n
	}
	t.behind, t.sessions = t.behind+u.behind, t.sessions+u.sessions
	t.updates, t.refusals = t.updates+u.updates, t.refusals+u.refusals
}

func (t *tally) executions() (n int) {
	for _, m := range t.messages {
		n += m
	}
	return n
}

// plan is what is said in one session.
type plan struct {
	deep    [][]byte           // reaches GoBGP, as the mark behind it does
	label   uint32             // of the mark
	holding []string           // routes of types 2 and 3 that GoBGP has then
	last    [][]byte           // what ends the session, with some before it
	notice  *wire.Notification // that the guard says at last; nil for none
	count   tally
}

// octets are the messages of the session that failed.
func (p *plan) octets() (s string) {
	for _, m := range p.deep {
		s += fmt.Sprintf("  %x\n", m)
	}
	for _, m := range p.last {
		s += fmt.Sprintf("  %x (behind the mark)\n", m)
	}
	return s
}

// judge tells a message's fate, and the NOTIFICATION that it is answered with if it ends the session; it counts, and brings the routes up to date. An error is
// a filter that panics.
func (m *mutant) judge(msg []byte, count *tally, routes *wire.Table) (f fate, n *wire.Notification, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("the filter cannot read %x: %v\n%s", msg, e, debug.Stack())
		}
	}()
	notice := func(err error) *wire.Notification {
		if bad, ok := errors.AsType[*wire.Error](err); ok {
			n := bad.Notification()
			return &n
		}
		return nil
	}
	if _, _, err := wire.CheckHeader(msg); err != nil {
		return resetting, notice(err), nil
	}
	switch wire.TypeOf(msg) {
	case wire.TypeOpen:
		return resetting, &wire.Notification{Code: wire.StateMachineError, Subcode: wire.StateInEstablished}, nil
	case wire.TypeNotification:
		return resetting, nil, nil
	case wire.TypeRouteRefresh:
		if _, err := wire.ParseRouteRefresh(msg); err != nil {
			return resetting, notice(err), nil
		}
		return noUpdate, nil, nil
	case wire.TypeKeepalive:
		return noUpdate, nil, nil
	}
	v := m.filter.Update(msg)
	count.updates++
	count.refusals += uint64(len(v.Refusals))
	routes.Apply(v.Changes())
	switch {
	case v.Reset != nil:
		return resetting, notice(v.Reset), nil
	case len(v.Forward) == 0:
		return dropped, nil, nil
	case v.Decision == wire.Withdraw:
		return withdrawn, nil, nil
	case v.Decision > wire.Accept || len(v.Forward) > 1 || !bytes.Equal(v.Forward[0], msg):
		return changed, nil, nil
	}
	return unchanged, nil, nil
}

// meanLength is how many messages a session has.
const meanLength = 100

// prepare makes the next session, of at most so many messages.
func (m *mutant) prepare(most int) error {
	random, table := m.mutator.random, wire.NewTable()
	p := plan{label: uint32(1+m.count.sessions) & 0xffffff}
	deep, behind := min(most, 1+random.IntN(2*meanLength-2)), 0
	ended := most == deep || random.IntN(16) == 0 // by ourselves
	if !ended && random.IntN(4) == 0 {
		behind = min(most-deep-1, random.IntN(8))
	}
	for !ended || len(p.deep) < deep {
		var count tally
		msg := m.mutator.next()
		to, routes := &p.deep, table
		if len(p.deep) == deep {
			to, routes = &p.last, wire.NewTable()
		}
		f, notice, err := m.judge(msg, &count, routes)
		switch {
		case err != nil:
			return err
		case f == resetting && len(p.deep) == deep && len(p.last) == behind:
			ended, p.notice = true, notice
		case f == resetting || len(p.deep) == deep && len(p.last) == behind:
			continue
		case to == &p.last:
			count.behind++
		}
		count.messages[f]++
		*to = append(*to, msg)
		p.count.add(count)
	}
	for c := range table.All() {
		if c.Family == wire.EVPN && (c.NLRI[0] == 2 || c.NLRI[0] == 3) {
			p.holding = append(p.holding, keyOfNLRI([]byte(c.NLRI)))
		}
	}
	p.count.sessions, p.count.updates = 1, p.count.updates+1 // the mark
	if m.session.Has(wire.RouteTargets) {
		p.count.updates += 2 // a membership, and their End-of-RIB
	}
	m.current = p
	return nil
}

// keyOfNLRI is the key of a route of type 2 or 3 (RFC 7432 §7.2, §7.3), as people read it; octets if it is too short to be one.
func keyOfNLRI(n []byte) string {
	k := evpn.RouteKey{Type: evpn.RouteType(n[0])}
	switch {
	case k.Type == evpn.MACIPAdvertisement && len(n) > 31 && len(n) >= 32+int(n[31])/8:
		k.Tag, k.MAC = evpn.EthernetTag(binary.BigEndian.Uint32(n[20:])), evpn.MAC(n[25:])
		k.IP, _ = netip.AddrFromSlice(n[32 : 32+n[31]/8])
	case k.Type != evpn.MACIPAdvertisement && len(n) > 15:
		k.Tag = evpn.EthernetTag(binary.BigEndian.Uint32(n[10:]))
		k.IP, _ = netip.AddrFromSlice(n[15:])
	default:
		return fmt.Sprintf("%x", n)
	}
	k.RD = evpn.RouteDistinguisher(n[2:])
	return fmt.Sprint(k)
}

// difference are the lines that only one of two lists has.
func difference(must, has []string) string {
	var b strings.Builder
	for _, s := range must {
		if !slices.Contains(has, s) {
			fmt.Fprintf(&b, "\n  it has not %s", s)
		}
	}
	for _, s := range has {
		if !slices.Contains(must, s) {
			fmt.Fprintf(&b, "\n  it has %s", s)
		}
	}
	return b.String()
}
