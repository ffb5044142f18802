package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// keyed is a file with two VNs and two keys, of which the second is blue's alone.
const keyed = `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
tes: [{address: 198.51.100.11}, {prefix: 203.0.113.0/24}]
vns:
  - {name: blue, vni: 10100, authorization: credential}
  - {name: red, vni: 10200, tes: [203.0.113.7]}
  - {name: green, vni: 10300}
credential_keys:
  - {id: 7, file: DIR/7.key, vns: [blue, red]}
  - {id: 65535, file: DIR/8.key, vns: [blue]}
state: /var/lib/tns/nved.db
`

// keyFiles writes a text and its mode into both key files and returns the configuration that names them.
func keyFiles(t *testing.T, text string, mode os.FileMode) (yaml string) {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"7.key", "8.key"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Replace(text, "5e", fmt.Sprintf("%02x", i), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(keyed, "DIR", dir)
}

// A VN has the keys that name it, and is used by those whom it names.
func TestCredentialKeys(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o400, 0o700} {
		n, err := ParseNVE("nved.yaml", strings.NewReader(keyFiles(t, strings.Repeat("5e", 32)+"\n", mode)))
		if err != nil {
			t.Fatal(err)
		}
		first, _ := evpn.ParseCredentialKey("00" + strings.Repeat("5e", 31))
		second, _ := evpn.ParseCredentialKey("01" + strings.Repeat("5e", 31))
		blue, red, green := n.VNs[0], n.VNs[1], n.VNs[2]
		if !blue.Credentialed || len(blue.Keys) != 2 || !blue.Keys[7].Equal(first) || !blue.Keys[65535].Equal(second) {
			t.Errorf("blue: %+v", blue)
		}
		if red.Credentialed || len(red.Keys) != 1 || !red.Keys[7].Equal(first) || len(red.TES) != 1 || red.TES[0] != 0xcb007107 {
			t.Errorf("red: %+v", red)
		}
		if green.Credentialed || green.Keys != nil || green.TES != nil {
			t.Errorf("green: %+v", green)
		}
	}
}

// A key that others can read or change, or that is none, is refused; no error shows what the file holds.
func TestCredentialKeysThatAreNone(t *testing.T) {
	good := strings.Repeat("5e", 32)
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{good, 0o640, "its mode is 0640"},
		{good, 0o604, "its mode is 0604"},
		{good, 0o620, "its mode is 0620"},
		{good, 0o601, "its mode is 0601"},
		{good[2:], 0o600, "31 octets long, want 32 to 128"},
		{good + strings.Repeat("5e", 97), 0o600, "129 octets long, want 32 to 128"},
		{strings.Repeat("5e", 5000), 0o600, "octets long, want 32 to 128"},
		{good + "x", 0o600, "not hexadecimal digits"},
		{"", 0o600, "empty"},
	} {
		_, err := ParseNVE("nved.yaml", strings.NewReader(keyFiles(t, c.text, c.mode)))
		for _, key := range []string{"credential_keys[0].file", "credential_keys[1].file"} {
			if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("mode %#o: %v, want an error for %s with %q", c.mode, err, key, c.want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "5e5e") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
