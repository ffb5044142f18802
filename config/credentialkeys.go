package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// credentialKeys checks the keys of credentials, and gives each to its VNs. No error shows one.
func (c *checker) credentialKeys(raw []rawKey, vns []VN) {
	type pair struct {
		vn string
		id uint16
	}
	first := firsts[pair]{}
	withheld := false
	for i := range raw {
		key, r := index("credential_keys", i), &raw[i]
		id, numbered := need(c, join(key, "id"), r.ID, keyID)
		octets, err := c.credentialKey(join(key, "file"), r.File)
		withheld = withheld || errors.Is(err, errWithheld)
		if len(r.VNs) == 0 && c.sound(join(key, "vns")) {
			c.report(join(key, "vns"), nil, "missing", "want the names of the VNs whose credentials the key makes, such as [blue]")
		}
		for j := range r.VNs {
			at := index(join(key, "vns"), j)
			name := c.vnOf(at, &r.VNs[j], vns)
			v := slices.IndexFunc(vns, func(vn VN) bool { return vn.Name == name })
			if v < 0 || name == "" || !numbered || !first.once(c, pair{name, id}, at, &r.VNs[j], fmt.Sprintf("a VN has one key %d", id)) || err != nil {
				continue
			}
			if vns[v].Keys == nil {
				vns[v].Keys = map[uint16]evpn.CredentialKey{}
			}
			vns[v].Keys[id] = octets
		}
	}
	if withheld || !c.sound("credential_keys") {
		return
	}
	for i, vn := range vns {
		if vn.Credentialed && len(vn.Keys) == 0 && vn.Name != "" {
			text := "credential"
			c.report(join(index("vns", i), "authorization"), &text, "no key makes credentials for the VN", "want one in credential_keys:")
		}
	}
}

// errNotNamed is that no key file is named, which is reported.
var errNotNamed = errors.New("no key file")

// credentialKey is what a key file holds. An error is reported, but for errWithheld.
func (c *checker) credentialKey(key string, text *string) (k evpn.CredentialKey, err error) {
	path, ok := need(c, key, text, keyPath)
	if !ok {
		return k, errNotNamed
	}
	secret, err := c.files.secret(path, true)
	if errors.Is(err, errWithheld) {
		return k, err
	}
	if err == nil {
		k, err = evpn.ParseCredentialKey(secret)
	}
	if err != nil {
		c.report(key, text, err.Error(), "want a file of mode 0600 that holds 32 to 128 octets as hexadecimal digits")
	}
	return k, err
}
