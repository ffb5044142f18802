package nft

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What each VM needs is written here, octet by octet: the library makes each attribute by itself and copies it once for each level that it is in, which took
// several times as long as the kernel takes to do it. In a transaction a mark of the library's stands where each such message goes.

// message is a message of a transaction as it grows: behind the header of netlink that of nfnetlink, then attributes.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	| family netdev |   version 0   |         resource 0            |
//	+---------------+---------------+-------------------------------+
//	| length of the attribute       | type                          |
//	+-------------------------------+-------------------------------+
//	| data, filled up to four octets ...
type message []byte

func newMessage(room int) message {
	return append(make(message, 0, room), byte(nftables.TableFamilyNetdev), unix.NFNETLINK_V0, 0, 0)
}

const attributeHeader = 4

// put adds an attribute.
func (m *message) put(kind uint16, data ...byte) {
	at := m.open(kind)
	*m = append(*m, data...)
	m.end(at)
}

// text adds an attribute that is a text.
func (m *message) text(kind uint16, s string) {
	at := m.open(kind)
	*m = append(append(*m, s...), 0)
	m.end(at)
}

// open begins an attribute, of which end ends what it holds.
func (m *message) open(kind uint16) (at int) {
	at = len(*m)
	*m = binary.NativeEndian.AppendUint16(append(*m, 0, 0), kind)
	return at
}

func (m *message) nest(kind uint16) (at int) { return m.open(kind | unix.NLA_F_NESTED) }

func (m *message) end(at int) {
	binary.NativeEndian.PutUint16((*m)[at:], uint16(len(*m)-at))
	for len(*m)%attributeHeader != 0 {
		*m = append(*m, 0)
	}
}

// own puts a message of ours into the transaction.
func (c *conn) own(kind uint16, flags netlink.HeaderFlags, m message) {
	c.ours = append(c.ours, netlink.Message{Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | netlink.HeaderType(kind), Flags: netlink.Request | flags}, Data: m})
	c.FlushRuleset() // the mark: nobody here asks for that
}

// isMark reports whether one of ours goes here. A table that goes has a name otherwise.
func isMark(m netlink.Message) bool {
	return m.Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_DELTABLE && len(m.Data) == len(newMessage(0))
}

// addChain makes a chain that no hook calls.
func (c *conn) addChain(name string) {
	m := newMessage(len(name) + 32)
	m.text(unix.NFTA_CHAIN_TABLE, tableName)
	m.text(unix.NFTA_CHAIN_NAME, name)
	c.own(unix.NFT_MSG_NEWCHAIN, netlink.Create, m)
}

// delChain removes it.
func (c *conn) delChain(name string) {
	m := newMessage(len(name) + 32)
	m.text(unix.NFTA_CHAIN_TABLE, tableName)
	m.text(unix.NFTA_CHAIN_NAME, name)
	c.own(unix.NFT_MSG_DELCHAIN, 0, m)
}

// addRule adds a rule behind those that a chain has.
func (c *conn) addRule(chain string, exprs []expr.Any, userData []byte) error {
	m := newMessage(len(chain) + len(userData) + 128)
	m.text(unix.NFTA_RULE_TABLE, tableName)
	m.text(unix.NFTA_RULE_CHAIN, chain)
	list := m.nest(unix.NFTA_RULE_EXPRESSIONS)
	for _, e := range exprs {
		b, err := marshal(e)
		if err != nil {
			return err
		}
		m.put(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, b...)
	}
	m.end(list)
	m.put(unix.NFTA_RULE_USERDATA, userData...)
	c.own(unix.NFT_MSG_NEWRULE, netlink.Create|unix.NLM_F_APPEND, m)
	return nil
}

// aCounter is a counter that has counted nothing, as most rules have one.
var aCounter, aCounterErr = expr.Marshal(byte(nftables.TableFamilyNetdev), &expr.Counter{})

// marshal is an expression as attributes.
func marshal(e expr.Any) ([]byte, error) {
	if c, ok := e.(*expr.Counter); ok && *c == (expr.Counter{}) {
		return aCounter, aCounterErr
	}
	return expr.Marshal(byte(nftables.TableFamilyNetdev), e)
}

// changeElements adds elements to sets and maps, or removes them.
func (c *conn) changeElements(kind uint16, elements []element) {
	var growing []growingSet
	for i := range elements {
		e := &elements[i]
		s := growingOf(&growing, e.set)
		if s.count == elementsPerMessage {
			c.elements(kind, s)
		}
		if s.count == 0 {
			s.begin(len(elements) - i)
		}
		s.add(e)
	}
	for i := range growing {
		c.elements(kind, &growing[i])
	}
}

func (c *conn) elements(kind uint16, s *growingSet) {
	s.m.end(s.list)
	c.own(kind, netlink.Create, s.m)
	s.count = 0
}

// growingSet is a message with elements of a set.
type growingSet struct {
	set   string
	m     message
	list  int
	count int
}

// growingOf finds or makes the message of a set; there are few.
func growingOf(all *[]growingSet, set string) *growingSet {
	for i := range *all {
		if (*all)[i].set == set {
			return &(*all)[i]
		}
	}
	*all = append(*all, growingSet{set: set})
	return &(*all)[len(*all)-1]
}

func (s *growingSet) begin(most int) {
	s.m = newMessage(64 + 48*min(most, elementsPerMessage))
	s.m.text(unix.NFTA_SET_ELEM_LIST_TABLE, tableName)
	s.m.text(unix.NFTA_SET_ELEM_LIST_SET, s.set)
	s.list = s.m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
}

func (s *growingSet) add(e *element) {
	s.count++
	one := s.m.nest(unix.NFTA_LIST_ELEM)
	k := s.m.nest(unix.NFTA_SET_ELEM_KEY)
	value := s.m.open(unix.NFTA_DATA_VALUE)
	s.m = append(s.m, e.key...)
	s.m.end(value)
	s.m.end(k)
	if e.chain != "" {
		data := s.m.nest(unix.NFTA_SET_ELEM_DATA)
		verdict := s.m.nest(unix.NFTA_DATA_VERDICT)
		code := int32(expr.VerdictGoto)
		s.m.put(unix.NFTA_VERDICT_CODE, binary.BigEndian.AppendUint32(nil, uint32(code))...)
		s.m.text(unix.NFTA_VERDICT_CHAIN, e.chain)
		s.m.end(verdict)
		s.m.end(data)
	}
	s.m.end(one)
}
