package config

import (
	"errors"
	"fmt"
	"net/netip"
)

var sessionAddress = kind[netip.Addr]{
	"a unicast address such as 192.0.2.1 or 2001:db8::1",
	func(s string) (netip.Addr, error) {
		a, err := netip.ParseAddr(s)
		switch {
		case err != nil:
			return a, errors.New("not an IP address")
		case a.Zone() != "" || a.IsLinkLocalUnicast():
			return a, errors.New("a link-local address")
		case a.Is4In6():
			return a, fmt.Errorf("%s written as an IPv6 address", a.Unmap())
		case a.IsUnspecified() || a.IsMulticast() || a.Is4() && a.As4()[0] >= 240:
			return a, errors.New("not a unicast address")
		}
		return a, nil
	},
}

// tunnelAddress is a session's address that other machines can reach.
var tunnelAddress = kind[netip.Addr]{
	sessionAddress.right,
	func(s string) (netip.Addr, error) {
		a, err := sessionAddress.parse(s)
		if err == nil && a.IsLoopback() {
			err = errors.New("a loopback address, which no other edge can reach")
		}
		return a, err
	},
}

// expressPrefix is a prefix of addresses that EDGE has place for.
var expressPrefix = kind[netip.Prefix]{
	"an IPv4 prefix such as 192.0.2.0/25",
	func(s string) (netip.Prefix, error) {
		p, err := sessionPrefix.parse(s)
		if err == nil && !p.Addr().Is4() {
			err = errors.New("not an IPv4 prefix")
		}
		return p, err
	},
}

var sessionPrefix = kind[netip.Prefix]{
	"a prefix such as 192.0.2.0/24 or 2001:db8::/64",
	func(s string) (netip.Prefix, error) {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return p, errors.New("not a prefix")
		case p.Addr().Is4In6() || p.Addr().IsMulticast() || p.Addr().IsLinkLocalUnicast():
			return p, errors.New("not a prefix of unicast addresses")
		case p != p.Masked():
			return p, fmt.Errorf("has bits set after the first %d, as %s has not", p.Bits(), p.Masked())
		}
		return p, nil
	},
}
