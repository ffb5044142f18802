package evpn_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// credentialKey is a key of 32 octets, 00 01 02 ….
func credentialKey(t *testing.T) evpn.CredentialKey {
	t.Helper()
	key, err := evpn.ParseCredentialKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func consent() evpn.Consent {
	return evpn.Consent{
		VM:  evpn.VMID{0x6f, 0x1c, 0x2b, 0x3a, 0x4d, 0x5e, 0x4f, 0x60, 0x81, 0x92, 0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f},
		TES: 0xc633640b, VNI: 10100, MAC: evpn.MAC{2, 0, 0, 0, 0, 1}, Expiry: 1767355200,
	}
}

// TestCredentialVectors holds the tag against values computed outside of this module, with Python's hmac, from SPEC §2's list of fields.
func TestCredentialVectors(t *testing.T) {
	numbered, withPolicy, named := consent(), consent(), consent()
	withPolicy.IP, withPolicy.Policy = netip.MustParseAddr("10.1.0.1"), evpn.Policy{Type: 17, Version: 3, Format: evpn.FormatUUID}
	named.VNI, named.VNName, named.IP = 0, evpn.HashVNName("blue"), netip.MustParseAddr("2001:db8::1")
	named.Policy, named.Expiry = evpn.Policy{Type: 0xabcdef, Version: 255}, 1<<32-1
	for _, c := range []struct {
		name string
		what evpn.Consent
		id   uint16
		want string
	}{
		{"by number, the MAC alone", numbered, 7, "0ccedc14c59f3ef8fd1d7989201fd953"},
		{"with an IPv4 address and a policy", withPolicy, 7, "a1fd0e9e71f5ed5e21e52d7283fc0c59"},
		{"by name, with an IPv6 address", named, 65535, "911102620442585170fe37372ba89a58"},
	} {
		got := c.what.Credential(credentialKey(t), c.id)
		if got.KeyID != c.id || hex.EncodeToString(got.Tag[:]) != c.want {
			t.Errorf("%s: key %d, tag %x, want %s", c.name, got.KeyID, got.Tag, c.want)
		}
		if !got.Says(&c.what, credentialKey(t)) {
			t.Errorf("%s: the credential does not say what it was made for", c.name)
		}
	}
}

// TestCredentialSaysNothingElse changes one bit of each field that a credential speaks of.
func TestCredentialSaysNothingElse(t *testing.T) {
	made := consent()
	made.VNName, made.IP, made.Policy = evpn.HashVNName("blue"), netip.MustParseAddr("10.1.0.1"), evpn.Policy{Type: 17, Version: 3}
	key := credentialKey(t)
	good := made.Credential(key, 7)
	for field, flip := range map[string]struct {
		bits int
		flip func(c *evpn.Consent, bit int)
	}{
		"VMID":           {128, func(c *evpn.Consent, n int) { c.VM[n/8] ^= 1 << (n % 8) }},
		"TES-ID":         {32, func(c *evpn.Consent, n int) { c.TES ^= 1 << n }},
		"VNI":            {24, func(c *evpn.Consent, n int) { c.VNI ^= 1 << n }},
		"VN-NAME":        {96, func(c *evpn.Consent, n int) { c.VNName[n/8] ^= 1 << (n % 8) }},
		"MAC":            {48, func(c *evpn.Consent, n int) { c.MAC[n/8] ^= 1 << (n % 8) }},
		"policy type":    {24, func(c *evpn.Consent, n int) { c.Policy.Type ^= 1 << n }},
		"policy version": {8, func(c *evpn.Consent, n int) { c.Policy.Version ^= 1 << n }},
		"expiry":         {32, func(c *evpn.Consent, n int) { c.Expiry ^= 1 << n }},
		"IPv4": {32, func(c *evpn.Consent, n int) {
			ip := c.IP.As4()
			ip[n/8] ^= 1 << (n % 8)
			c.IP = netip.AddrFrom4(ip)
		}},
		"IP length": {2, func(c *evpn.Consent, n int) { c.IP = []netip.Addr{{}, netip.AddrFrom16(c.IP.As16())}[n] }},
	} {
		for n := range flip.bits {
			other := made
			flip.flip(&other, n)
			if good.Says(&other, key) {
				t.Errorf("%s, bit %d: the credential says it too", field, n)
			}
		}
	}
	for n := range 128 {
		bad := good
		bad.Tag[n/8] ^= 1 << (n % 8)
		if bad.Says(&made, key) || bad.Equal(good) {
			t.Errorf("tag, bit %d: still good", n)
		}
	}
	for n := range 16 {
		bad := good
		bad.KeyID ^= 1 << n
		if bad.Says(&made, key) || bad.Equal(good) {
			t.Errorf("key id, bit %d: still good", n)
		}
	}
	other, err := evpn.ParseCredentialKey(strings.Repeat("00", 32))
	if err != nil {
		t.Fatal(err)
	}
	if good.Says(&made, other) {
		t.Error("good by another key")
	}
}

// TestConsentOfARequest is what a credential must say for a request: the VN as the route names it.
func TestConsentOfARequest(t *testing.T) {
	want := consent()
	want.IP, want.Policy = netip.MustParseAddr("10.1.0.1"), evpn.Policy{Type: 17, Version: 3}
	name := evpn.HashVNName("blue")
	q := evpn.Request{VM: want.VM, Policy: &want.Policy, Expiry: &want.Expiry, VNName: &name}
	route := evpn.Route{RouteKey: evpn.RouteKey{MAC: want.MAC, IP: want.IP}, Label: 10100}
	if got := q.Consent(want.TES, &route); got != want {
		t.Errorf("by number: %+v, want %+v", got, want)
	}
	route.Label = 0
	want.VNI, want.VNName = 0, name
	if got := q.Consent(want.TES, &route); got != want {
		t.Errorf("by name: %+v, want %+v", got, want)
	}
	q = evpn.Request{VM: want.VM}
	want = evpn.Consent{VM: want.VM, TES: want.TES, MAC: want.MAC, IP: want.IP}
	if got := q.Consent(want.TES, &route); got != want {
		t.Errorf("bare: %+v, want %+v", got, want)
	}
}

func TestParseCredentialKey(t *testing.T) {
	hex32 := strings.Repeat("5e", 32)
	want, err := evpn.ParseCredentialKey(hex32)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"with a line end":   hex32 + "\n",
		"in two lines":      hex32[:60] + "\n" + hex32[60:] + "\r\n",
		"in capital digits": strings.ToUpper(hex32),
		"between spaces":    " " + hex32 + "\t",
	} {
		if got, err := evpn.ParseCredentialKey(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, the same key: %t", name, err, got.Equal(want))
		}
	}
	for text, wrong := range map[string]string{
		"": "empty", " \n": "empty", hex32[:62]: "31 octets long, want 32 to 128", strings.Repeat("5e", 129): "129 octets long, want 32 to 128",
		hex32 + "5": "not hexadecimal digits, two an octet", "x" + hex32[1:]: "not hexadecimal digits, two an octet",
	} {
		if _, err := evpn.ParseCredentialKey(text); err == nil || err.Error() != wrong {
			t.Errorf("%q: %v, want %q", text, err, wrong)
		}
	}
	if _, err := evpn.ParseCredentialKey(strings.Repeat("5e", 128)); err != nil {
		t.Errorf("128 octets: %v", err)
	}
}

// TestCredentialKeyIsHidden prints a key in every way that a log or an error might.
func TestCredentialKeyIsHidden(t *testing.T) {
	key, err := evpn.ParseCredentialKey(strings.Repeat("5e", 32))
	if err != nil {
		t.Fatal(err)
	}
	in := struct {
		Key  evpn.CredentialKey
		Keys map[uint16]evpn.CredentialKey
	}{key, map[uint16]evpn.CredentialKey{7: key}}
	var logged strings.Builder
	log.New(&logged, "", 0).Print(key, &key, in)
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{key.String(), logged.String(), string(text), fmt.Sprint(in)}
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "o", "c"} {
		all = append(all, fmt.Sprintf("%"+verb, key), fmt.Sprintf("%"+verb, &key), fmt.Sprintf("%"+verb, in))
	}
	for _, shown := range all {
		for _, trace := range []string{"5e5e", "5E5E", "94 94", "^^", "136 136"} {
			if strings.Contains(shown, trace) {
				t.Errorf("a key shows in %q", shown)
			}
		}
		if !strings.Contains(shown, "(credential key)") {
			t.Errorf("%q does not say that a key is there", shown)
		}
	}
}
