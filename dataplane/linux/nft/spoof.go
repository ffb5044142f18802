package nft

import (
	"slices"

	"github.com/google/nftables/expr"
)

// Neighbour discovery (RFC 4861 §4): the types, and two octets that begin an option: its type and its length in units of eight octets.
const (
	icmp6             = 58
	routerSolicit     = 133
	neighborSolicit   = 135
	neighborAdvertise = 136
	redirect          = 137
)

var (
	sourceLinkAddr = []byte{1, 1}
	targetLinkAddr = []byte{2, 1}
	nonce          = []byte{14, 1} // RFC 3971 §5.3.2, of duplicate address detection
)

// shared are the chains that all ports share, in the order in which they can be made: a chain after those that it names.
//
// A frame comes to tns/spoof when its source is active on its port. Whose addresses in ARP and neighbour discovery are not its own, or who sends from
// an address that is not bound to it while others of the family are, ends in tns/spoofed.
func shared() []chain {
	isOwn := func(field []expr.Any) []expr.Any { return in(ownSet, sender(), field) }
	target := func() []expr.Any { return network(40+8, 16, afterMAC) } // of a solicitation or an advertisement without extension headers
	length := func(n byte) []expr.Any { return exprs(network(ip6Len, 2, reg), is(0, n)) }
	linkLocal := func(offset uint32) []expr.Any {
		return exprs(network(offset, 2, reg), masked(0xff, 0xc0), is(0xfe, 0x80))
	}
	unspecified := exprs(network(ip6Src, 16, reg), is(make([]byte, 16)...))
	icmpType := func(t byte) []expr.Any { return exprs(transport(0, 1, reg), is(t)) }
	option := func(offset uint32, begin []byte) []expr.Any { return exprs(network(40+offset, 2, reg), is(begin...)) }
	lladdr := func(offset uint32) []expr.Any { return isOwn(network(40+offset+2, macOctets, afterMAC)) }
	rules := func(all ...[]expr.Any) (lines []line) {
		for _, e := range all {
			lines = append(lines, line{exprs: e})
		}
		return lines
	}
	spoofed := goTo(spoofedChain)

	fromNowhere := [][]expr.Any{}
	for _, t := range []byte{routerSolicit, neighborSolicit, 131, 143} { // and multicast reports (RFC 3590)
		fromNowhere = append(fromNowhere, exprs(unspecified, transportProtocol(icmp6), icmpType(t), ret))
	}
	return []chain{
		{spoofedChain, rules(
			in(spoofedSet, sender()), // which counts it for the VM
			exprs(in(portsSet, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg}}), drop),
			drop,
		)},
		{"tns/arp", rules(
			exprs(network(arpFixed, 6, reg), isNot(0, 1, 8, 0, 6, 4), spoofed), // Ethernet and IPv4: what follows is where we look for it
			exprs(notIn(ownSet, sender(), network(arpMAC, macOctets, afterMAC)), spoofed),
			exprs(notIn(bound4Set, sender()), ret),
			exprs(network(arpIP, 4, reg), is(0, 0, 0, 0), ret), // a probe (RFC 5227 §2.1.1)
			exprs(notIn(addr4Set, sender(), network(arpIP, 4, afterMAC)), spoofed),
		)},
		{"tns/ipv4", rules(
			exprs(notIn(bound4Set, sender()), ret),
			exprs(in(addr4Set, sender(), network(ip4Src, 4, afterMAC)), ret),
			exprs(network(ip4Src, 4, reg), is(0, 0, 0, 0), transportProtocol(17), transport(0, 4, reg), is(0, 68, 0, 67), ret), // DHCP
			spoofed,
		)},
		{"tns/target", rules( // what is advertised, or looked for duplicates of
			exprs(notIn(bound6Set, sender()), ret),
			exprs(linkLocal(40+8), ret),
			exprs(in(addr6Set, sender(), target()), ret),
			spoofed,
		)},
		{"tns/advertise", rules(
			exprs(length(24), goTo("tns/target")),
			exprs(length(32), option(24, targetLinkAddr), lladdr(24), goTo("tns/target")),
			spoofed,
		)},
		{"tns/dad", rules( // a solicitation from ::
			exprs(length(24), goTo("tns/target")),
			exprs(length(32), option(24, nonce), goTo("tns/target")),
			spoofed,
		)},
		{"tns/solicit", rules(
			exprs(unspecified, goTo("tns/dad")),
			exprs(length(24), ret),
			exprs(length(32), option(24, sourceLinkAddr), lladdr(24), ret),
			exprs(length(32), option(24, nonce), ret),
			exprs(length(40), option(24, sourceLinkAddr), lladdr(24), option(32, nonce), ret),
			spoofed,
		)},
		{"tns/routers", rules(
			exprs(length(8), ret),
			exprs(length(16), option(8, sourceLinkAddr), lladdr(8), ret),
			spoofed,
		)},
		{"tns/nd", rules(
			// Behind an extension header none of it would be where we look for it, and no host sends it so (RFC 6980).
			exprs(transport(0, 1, reg), compare(expr.CmpOpGte, routerSolicit), compare(expr.CmpOpLte, redirect), network(ip6Next, 1, reg), isNot(icmp6), spoofed),
			exprs(icmpType(neighborAdvertise), jump("tns/advertise")),
			exprs(icmpType(neighborSolicit), jump("tns/solicit")),
			exprs(icmpType(routerSolicit), jump("tns/routers")),
		)},
		{"tns/ipv6", slices.Concat(
			rules(
				exprs(transportProtocol(icmp6), jump("tns/nd")),
				exprs(notIn(bound6Set, sender()), ret),
				exprs(in(addr6Set, sender(), network(ip6Src, 16, afterMAC)), ret),
				exprs(linkLocal(ip6Src), ret),
			),
			rules(fromNowhere...),
			rules(spoofed),
		)},
		{spoofChain, rules(
			exprs(protocol(etherTypeIPv4), goTo("tns/ipv4")),
			exprs(protocol(etherTypeIPv6), goTo("tns/ipv6")),
			exprs(protocol(etherTypeARP), goTo("tns/arp")),
		)},
	}
}

// chain is a chain that no hook calls.
type chain struct {
	name  string
	lines []line
}
