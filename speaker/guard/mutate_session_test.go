package guard_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

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

func newMutant(seed uint64, number int, address, guard netip.Addr, as uint32, s wire.Session) *mutant {
	m := &mutant{address: address, guard: guard, as: as, session: s, filter: wire.NewFilter(s)}
	m.mutator.author = author{random: rand.New(rand.NewPCG(seed, uint64(number))), session: s, as: as, rd: [8]byte{0, 1, 10, 0, 1, byte(number)}}
	return m
}

// run sends so many messages, and tells after each session how many they were.
func (m *mutant) run(ctx context.Context, n int, engine *observed, sent func(messages int)) error {
	for left := n; left > 0; {
		if err := m.prepare(left); err != nil {
			return err
		}
		if err := m.talk(ctx, engine); err != nil {
			return err
		}
		m.count.add(m.current.count)
		left -= m.current.count.executions()
		sent(m.current.count.executions())
	}
	return nil
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

// talk is one session, as it was prepared. Most often it ends when GoBGP has told of its end. Else the next one begins at once, and GoBGP, which is not done
// with this one, may forget its connection, so that the guard must call again.
func (m *mutant) talk(ctx context.Context, engine *observed) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := m.converse(ctx, engine)
	if err == nil && m.current.label%8 != 0 {
		_, err = engine.await(ctx, m.address, over)
	}
	return err
}

// converse says what was planned, and waits for what must come of it.
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
	if r.Holding != len(p.holding)+1 {
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

// settleTime is how long the engine may have other routes than the guard let through.
const settleTime = 20 * time.Second

// settle waits until the engine has the routes that it must have: withdrawals leave the guard behind what is announced with them.
func (m *mutant) settle(ctx context.Context, engine *observed) error {
	for start := time.Now(); ; {
		keys, err := engine.askKeys(ctx, m.address)
		if err != nil {
			return err
		}
		wrong := difference(append(m.current.holding, keyOfNLRI(markNLRI(m.mutator.rd, 1))), keys)
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
