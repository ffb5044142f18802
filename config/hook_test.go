package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// certificate is one of a new authority.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

const withHook = `nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
state: /var/lib/tns/nved.db
hooks:
  - {url: "https://firewall.example/tns?token=sesame", secret_file: DIR/secret, ca_file: DIR/ca.pem}
`

// A secret is read once, goes to the engine and not to the guard, and is in no error.
func TestHookSecretGoesToTheEngineOnly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	const secret = "sixteen octets or more"
	write("secret", secret+"\n", 0o600)
	write("ca.pem", "a comment\n"+certificate(t)+certificate(t), 0o644)
	write("nved.yaml", strings.ReplaceAll(withHook, "DIR", dir), 0o644)
	source, _, err := ReadNVE(filepath.Join(dir, "nved.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	for who, s := range map[string]*NVESource{"engine": source, "guard": source.WithoutKeys()} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var handed NVESource
		if err := json.Unmarshal(text, &handed); err != nil {
			t.Fatal(err)
		}
		n, err := handed.NVE()
		if err != nil {
			t.Fatalf("%s: %v", who, err)
		}
		h := n.Hooks[0]
		if want := map[string]string{"engine": secret}[who]; string(h.Secret) != want {
			t.Errorf("the %s has the secret %q, want %q", who, h.Secret, want)
		}
		if h.Name != "https://firewall.example/tns" || h.URL != h.Name+"?token=sesame" || len(h.CAs) != 2 || !slices.Equal(h.Events, []string{"immigration", "emigration"}) {
			t.Errorf("the %s has %+v", who, h)
		}
	}

	write("secret", "short", 0o600)
	_, _, err = ReadNVE(filepath.Join(dir, "nved.yaml"))
	if err == nil || !strings.Contains(err.Error(), "hooks[0].secret_file") || !strings.Contains(err.Error(), "5 octets are too few") || strings.Contains(err.Error(), `"short"`) {
		t.Errorf("a short secret: %v", err)
	}
	write("secret", secret, 0o600)
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err = ReadNVE(filepath.Join(dir, "nved.yaml")); err == nil || !strings.Contains(err.Error(), "hooks[0].secret_file") || !strings.Contains(err.Error(), "0640") {
		t.Errorf("a secret that others can read: %v", err)
	}
	write("ca.pem", "no certificate", 0o644)
	if _, _, err = ReadNVE(filepath.Join(dir, "nved.yaml")); err == nil || !strings.Contains(err.Error(), "hooks[0].ca_file") {
		t.Errorf("a file without certificates: %v", err)
	}
}
