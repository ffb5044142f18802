package config

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// What was read once is enough for ever: the files may vanish, and a password may have any octets.
func TestSourceOutlivesTheFiles(t *testing.T) {
	dir := t.TempDir()
	file, secrets := filepath.Join(dir, "nved.yaml"), map[string]string{
		"fabric": "between edge and reflector\n", "tes": "\xff\x00\xfe key", "key": strings.Repeat("5e", 32) + "\n",
		"policies": "baselines: [{tenant: acme, max_pcp: 5}]\nprofiles: [{type: 5, name: web, vns: [blau-grün], pcp: 4}]\n",
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, secret := range secrets {
		write(filepath.Join(dir, name), secret)
	}
	write(file, strings.ReplaceAll(`
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
fabric:
  - {address: 192.0.2.254, as: 65000, password_file: DIR/fabric}
tes:
  - {prefix: 198.51.100.0/24, password_file: DIR/tes}
  - {address: 203.0.113.7, password: "grüße", ttl_security_hops: 1, message_rate: 10, max_routes: 7}
  - {address: 203.0.113.8, password_file: DIR/tes}
vns:
  - {name: blau-grün, vni: 10100, authorization: credential, tenant: acme, default_policy: 5}
policies: DIR/policies
credential_keys:
  - {id: 7, file: DIR/key, vns: [blau-grün]}
ports:
  - {port: eth1, vn: blau-grün, tes: [198.51.100.11]}
state: DIR/nved.db
guard: {user: guard}
engine: {memory_limit: none}
record: DIR/record
`, "DIR", dir))
	source, want, err := ReadNVE(file)
	if err != nil {
		t.Fatal(err)
	}
	if want.TES[0].Password != secrets["tes"] || want.Fabric[0].Password != "between edge and reflector" {
		t.Fatalf("passwords %q and %q", want.TES[0].Password, want.Fabric[0].Password)
	}
	if want.Guard.User != "guard" || want.Engine.MemoryLimit != 0 || want.Record != filepath.Join(dir, "record") {
		t.Errorf("guard %+v, engine %+v, record %q", want.Guard, want.Engine, want.Record)
	}
	key, err := evpn.ParseCredentialKey(secrets["key"])
	if err != nil || !want.VNs[0].Keys[7].Equal(key) {
		t.Errorf("keys %v, %v", want.VNs[0].Keys, err)
	}
	if p := want.Policies.Find(policy.ID{Type: 5}); p == nil || p.PCP != policy.Just(4) || want.VNs[0].DefaultPolicy != p.ID || want.VNs[0].Baseline.MaxPCP != policy.Just(5) {
		t.Errorf("policies %+v, VN %+v", want.Policies, want.VNs[0])
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	var copied NVESource
	if err := json.Unmarshal(text, &copied); err != nil {
		t.Fatal(err)
	}
	got, err := copied.NVE()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("configuration differs (-read +kept):\n%s", diff)
	}

	keyless, err := json.Marshal(source.WithoutKeys())
	if err != nil {
		t.Fatal(err)
	}
	if hex := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("5e", 9))); strings.Contains(string(keyless), hex) || !strings.Contains(string(text), hex) {
		t.Error("the key goes to who shall not have it, or does not go to who shall")
	}
	if words := base64.StdEncoding.EncodeToString([]byte(secrets["policies"])); strings.Contains(string(keyless), words) || !strings.Contains(string(text), words) {
		t.Error("the policies go to who has no use for them, or do not go to who has")
	}
	var without NVESource
	if err := json.Unmarshal(keyless, &without); err != nil {
		t.Fatal(err)
	}
	if got, err = without.NVE(); err != nil {
		t.Fatalf("without keys: %v", err)
	}
	if len(got.VNs[0].Keys) > 0 || got.Policies != nil {
		t.Errorf("without keys and policies, there are %v and %v", got.VNs[0].Keys, got.Policies)
	}
	want.VNs[0].Keys, want.Policies, want.VNs[0].Baseline = nil, nil, policy.Baseline{}
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("configuration without keys differs (-read +kept):\n%s", diff)
	}

	delete(copied.Keys, filepath.Join(dir, "key"))
	if _, err := copied.NVE(); err == nil || !strings.Contains(err.Error(), "credential_keys[0].file") {
		t.Errorf("with a key lost: %v, want an error", err)
	}
	delete(copied.Policies, filepath.Join(dir, "policies"))
	if _, err := copied.NVE(); err == nil || !strings.Contains(err.Error(), "policies: ") {
		t.Errorf("with the policies lost: %v, want an error", err)
	}
	delete(copied.Secrets, filepath.Join(dir, "tes"))
	if _, err := copied.NVE(); err == nil || !strings.Contains(err.Error(), "tes[0].password_file") || !strings.Contains(err.Error(), "tes[2].password_file") {
		t.Errorf("without a password: %v, want an error for both that have it", err)
	}
}

// There is no source of a wrong file, but all that is wrong with it.
func TestNoSourceOfAWrongFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nved.yaml")
	if err := os.WriteFile(file, []byte("as: 0\nfabric: [{address: 192.0.2.254, as: 65000, password_file: /nowhere/secret}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, n, err := ReadNVE(file)
	_, loaded := LoadNVE(file)
	if source != nil || n == nil || err == nil || err.Error() != loaded.Error() {
		t.Errorf("source %v, configuration %v, error\n%v\nwant none, what could be read, and\n%v", source, n, err, loaded)
	}
}
