package guard_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

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

// tally counts messages by their fate, and what the guard is to count.
type tally struct {
	messages [fates]int
	behind   int // messages, of those above, in the same write as the one that ended the session
	sessions int
	updates  uint64
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

// mutant is an established peer that sends mutated messages, session after session. What each of them does to the session it knows beforehand, so that it
// sends what ends it last, and finds out when anything else does.
type mutant struct {
	address, guard netip.Addr
	as             uint32
	session        wire.Session
	mutator        mutator
	filter         *wire.Filter
	count          tally
	current        plan // the session that is going on, or that failed
}

// plan is what is said in one session.
type plan struct {
	deep    [][]byte           // reaches GoBGP, as the mark behind it does
	label   uint32             // of the mark
	holding []string           // routes of types 2 and 3 that GoBGP has then
	left    map[string]bool    // of these, and besides, those that GoBGP left out: what it had before may stand
	last    [][]byte           // what ends the session, with some before it
	notice  *wire.Notification // that the guard says at last; nil for none
	count   tally
}

func newMutant(seed uint64, number int, address, guard netip.Addr, as uint32, s wire.Session) *mutant {
	m := &mutant{address: address, guard: guard, as: as, session: s, filter: wire.NewFilter(s)}
	m.mutator.author = author{random: rand.New(rand.NewPCG(seed, uint64(number))), session: s, as: as, rd: [8]byte{0, 1, 10, 0, 1, byte(number)}}
	return m
}

// judge tells a message's fate, and the NOTIFICATION that it is answered with if it ends the session.
func (m *mutant) judge(msg []byte, count *tally, routes *wire.Table, left map[string]bool) (f fate, n *wire.Notification, err error) {
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
	for _, c := range v.Changes() {
		routes.Set(c)
		if isObserved(c) {
			left[keyOfNLRI([]byte(c.NLRI))] = !c.Withdrawal() && looped(v.Attributes)
		}
	}
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

// settleTime is how long the engine may have other routes than the guard let through.
const settleTime = 20 * time.Second

// prepare makes the next session, of at most so many messages.
func (m *mutant) prepare(most int) error {
	random, table := m.mutator.random, wire.NewTable()
	p := plan{label: uint32(1+m.count.sessions) & 0xffffff, left: make(map[string]bool)}
	deep, behind := min(most, 1+random.IntN(2*meanLength-2)), 0
	ended := most == deep || random.IntN(16) == 0 // by ourselves
	if !ended && random.IntN(4) == 0 {
		behind = min(most-deep-1, random.IntN(8))
	}
	for !ended || len(p.deep) < deep {
		var count tally
		msg := m.mutator.next()
		to, routes, left := &p.deep, table, p.left
		if len(p.deep) == deep {
			to, routes, left = &p.last, wire.NewTable(), make(map[string]bool)
		}
		f, notice, err := m.judge(msg, &count, routes, left)
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
		if isObserved(c) {
			p.holding = append(p.holding, keyOfNLRI([]byte(c.NLRI)))
		}
	}
	maps.DeleteFunc(p.left, func(_ string, is bool) bool { return !is })
	p.count.sessions = 1
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

// difference are the lines that only one of two lists has, but for some.
func difference(must, has []string, but map[string]bool) string {
	var b strings.Builder
	for _, s := range must {
		if !but[s] && !slices.Contains(has, s) {
			fmt.Fprintf(&b, "\n  it has not %s", s)
		}
	}
	for _, s := range has {
		if !but[s] && !slices.Contains(must, s) {
			fmt.Fprintf(&b, "\n  it has %s", s)
		}
	}
	return b.String()
}

// isObserved reports whether the route is one of those that the engine tells its roles.
func isObserved(c wire.Change) bool {
	return c.Family == wire.EVPN && (c.NLRI[0] == 2 || c.NLRI[0] == 3)
}

// looped reports whether the AS_PATH among well-formed attributes has our AS, for which GoBGP leaves the route out (RFC 4271 §9.1.2).
func looped(attributes []byte) bool {
	const typePath, flagExtended = 2, 0x10
	for len(attributes) > 0 {
		header, size := 3, int(attributes[2])
		if attributes[0]&flagExtended != 0 {
			header, size = 4, int(binary.BigEndian.Uint16(attributes[2:]))
		}
		if attributes[1] == typePath {
			for b := attributes[header : header+size]; len(b) > 0; {
				segment := b[2 : 2+4*int(b[1])]
				b = b[2+len(segment):]
				for ; len(segment) > 0; segment = segment[4:] {
					if binary.BigEndian.Uint32(segment) == as {
						return true
					}
				}
			}
		}
		attributes = attributes[header+size:]
	}
	return false
}

// open is the peer's OPEN.
func (m *mutant) open() *wire.Open {
	return &wire.Open{
		AS: m.as, RouterID: id(m.address), HoldTime: 90, FourOctetAS: m.session.FourOctetAS, Families: m.session.Families, RouteRefresh: true,
		GracefulRestart: &wire.GracefulRestart{Time: 1},
	}
}

// markNLRI is the route of which the engine tells.
func markNLRI(rd [8]byte, label uint32) []byte {
	binary.BigEndian.PutUint16(rd[6:], markNumber)
	n := append(append([]byte{2, 33}, rd[:]...), make([]byte, 14)...)
	return append(n, 48, 2, 0xff, 0, 0, 0, 1, 0, byte(label>>16), byte(label>>8), byte(label))
}

// mark is an UPDATE that announces it or, without a label, withdraws it.
func mark(rd [8]byte, label uint32) []byte {
	v := routes{family: evpnFamily, nlri: [][]byte{markNLRI(rd, label)}}
	if label == 0 {
		return (&draft{attributes: []attribute{{flags: 0x80, typ: attrUnreach, routes: &v}}}).octets()
	}
	return announcing(v)
}

// announcing is an UPDATE with the least attributes.
func announcing(v routes) []byte {
	v.header = []byte{4, 10, 0, 0, 9, 0}
	d := draft{attributes: []attribute{{flags: 0x80, typ: attrReach, routes: &v}, {flags: 0x40, typ: 1, value: []byte{0}}, {flags: 0x40, typ: 2}}}
	return d.octets()
}

// talk is one session, as it was prepared. It ends when GoBGP has told of its end: one that begins before GoBGP is done with the last one may be forgotten by
// it, and then waits until GoBGP's garbage is collected.
func (m *mutant) talk(ctx context.Context, engine *observed) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := m.converse(ctx, engine); err != nil {
		return err
	}
	_, err := engine.await(ctx, m.address, over)
	return err
}

func (m *mutant) converse(ctx context.Context, engine *observed) error {
	c, err := tryCall(ctx, m.address, m.guard)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	if err := m.greet(c); err != nil {
		return fmt.Errorf("establish the session: %w", err)
	}
	p := &m.current
	if err := m.write(c, append(p.deep, mark(m.mutator.rd, p.label))); err != nil {
		return fmt.Errorf("say what does not end the session: %w", err)
	}
	r, err := engine.await(ctx, m.address, p.label)
	if err != nil {
		return err
	}
	if r.Holding != len(p.holding)+1 || len(p.left) > 0 {
		if err := m.settle(ctx, engine); err != nil {
			return err
		}
	}
	if len(p.last) == 0 {
		if t, ok := c.(*net.TCPConn); ok && p.label%2 == 0 {
			return t.SetLinger(0) // a RST instead of a FIN
		}
		return nil
	}
	if err := m.write(c, p.last); err != nil {
		return fmt.Errorf("say what ends the session: %w", err)
	}
	return m.part(c, p.notice)
}

// settle waits until the engine has the routes that it must have: withdrawals leave the guard behind what is announced with them.
func (m *mutant) settle(ctx context.Context, engine *observed) error {
	for start := time.Now(); ; {
		keys, err := engine.askKeys(ctx, m.address)
		if err != nil {
			return err
		}
		wrong := difference(append(m.current.holding, keyOfNLRI(markNLRI(m.mutator.rd, 1))), keys, m.current.left)
		if wrong == "" {
			return nil
		}
		if time.Since(start) > settleTime {
			return fmt.Errorf("the engine has other routes of types 2 and 3 than the guard let through: %s", wrong)
		}
	}
}

// greet says OPEN and KEEPALIVE, memberships if the session has them, and waits until the engine has said all.
func (m *mutant) greet(c net.Conn) error {
	b := wire.AppendKeepalive(m.open().Append(nil))
	if m.session.Has(wire.RouteTargets) {
		b = append(b, announcing(routes{family: targetsFamily, nlri: [][]byte{{0}}})...)
		b = wire.AppendEndOfRIB(b, wire.RouteTargets)
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	end := wire.AppendEndOfRIB(nil, wire.EVPN)
	buf := make([]byte, wire.MaxLength)
	for {
		msg, err := wire.ReadMessage(c, buf)
		switch {
		case err != nil:
			return err
		case wire.TypeOf(msg) == wire.TypeOpen:
			o, err := wire.ParseOpen(msg)
			if err != nil {
				return err
			}
			if s := wire.Negotiate(o, m.open()); !reflect.DeepEqual(s, m.session) {
				return fmt.Errorf("agreed on %+v, want %+v", s, m.session)
			}
		case wire.TypeOf(msg) == wire.TypeNotification:
			n, _ := wire.ParseNotification(msg)
			return fmt.Errorf("the guard says %v", n)
		case bytes.Equal(msg, end):
			return nil
		}
	}
}

// write writes messages at once, now and then in pieces.
func (m *mutant) write(c net.Conn, messages [][]byte) error {
	b := bytes.Join(messages, nil)
	for m.mutator.one(8) && len(b) > 1 {
		n := 1 + m.mutator.random.IntN(len(b)-1)
		if _, err := c.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	_, err := c.Write(b)
	return err
}

// part reads until the guard has closed, and compares what it says at last.
func (m *mutant) part(c net.Conn, want *wire.Notification) error {
	var got *wire.Notification
	buf := make([]byte, wire.MaxLength)
	for {
		msg, err := wire.ReadMessage(c, buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("wait for the end: %w", err)
		}
		if wire.TypeOf(msg) == wire.TypeNotification {
			n, err := wire.ParseNotification(msg)
			if err != nil {
				return err
			}
			n.Data = bytes.Clone(n.Data)
			got = &n
		}
	}
	if (got == nil) != (want == nil) || got != nil && (got.Code != want.Code || got.Subcode != want.Subcode) {
		return fmt.Errorf("the session ends with NOTIFICATION %v, must with %v", got, want)
	}
	return nil
}

// run sends so many messages.
func (m *mutant) run(ctx context.Context, n int, session func(talk func(*observed) error) error) error {
	for left := n; left > 0; {
		if err := m.prepare(left); err != nil {
			return err
		}
		if err := session(func(engine *observed) error { return m.talk(ctx, engine) }); err != nil {
			return err
		}
		left -= m.current.count.executions()
		m.count.add(m.current.count)
	}
	return nil
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
