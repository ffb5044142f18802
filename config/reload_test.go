package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const running = `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
fabric:
  - {address: 192.0.2.254, as: 65000, password: secret-one}
  - {address: 192.0.2.253, as: 65000}
tes:
  - {prefix: 198.51.100.0/24}
  - {address: 192.0.2.252, as: 65000, reflector: true, tes_ids: [203.0.113.1]}
vns:
  - {name: blue, vni: 10100}
ports:
  - {port: eth1, vn: blue, tes: [198.51.100.11]}
state: /var/lib/tns/nved.db
`

// What needs a restart is refused, with its key; no password is shown. All else may change.
func TestCheckReload(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("between edges\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const right = "; restart nved for that, or put it back\n"
	for _, v := range []struct{ old, text, want string }{
		{"", "", ""},
		{"nve_id: 192.0.2.1", "nve_id: 192.0.2.9", "nve_id: cannot change from 192.0.2.1 to 192.0.2.9 while nved runs"},
		{"as: 65000\nvtep", "as: 65001\nvtep", "as: cannot change from 65000 to 65001 while nved runs"},
		{"vtep: 192.0.2.1", "vtep: 192.0.2.9", "vtep: cannot change from 192.0.2.1 to 192.0.2.9 while nved runs"},
		{"state: /var", "udp_port: 8472\nstate: /var", "udp_port: cannot change from 4789 to 8472 while nved runs"},
		{"state: /var", "listen_port: 1179\nstate: /var", "listen_port: cannot change from 179 to 1179 while nved runs"},
		{"state: /var", "listen: [192.0.2.1]\nstate: /var", "listen: cannot change from all addresses to [192.0.2.1] while nved runs"},
		{"state: /var", "state: /srv", `state: cannot change from "/var/lib/tns/nved.db" to "/srv/lib/tns/nved.db" while nved runs`},
		{"state: /var", "control: unix:///run/x.sock\nstate: /var", `control: cannot change from "unix:///run/tns/nved.sock" to "unix:///run/x.sock" while nved runs`},
		{"state: /var", "gobgp: {tes: unix:///run/x.sock}\nstate: /var", `gobgp.tes: cannot change from "" to "unix:///run/x.sock" while nved runs`},
		{"state: /var", "gobgp: {fabric: unix:///run/x.sock}\nstate: /var", `gobgp.fabric: cannot change from "" to "unix:///run/x.sock" while nved runs`},
		{"state: /var", "guard: {user: daemon}\nstate: /var", `guard.user: cannot change from "nobody" to "daemon" while nved runs`},
		{"state: /var", "record: /srv/record\nstate: /var", `record: cannot change from "" to "/srv/record" while nved runs`},
		{"state: /var", "startup_hold: 1m\nstate: /var", "startup_hold: cannot change from 2m0s to 1m0s while nved runs"},
		{"secret-one", "secret-two", "fabric: neighbour 192.0.2.254 cannot be changed while nved runs"},
		{"  - {address: 192.0.2.253, as: 65000}\n", "", "fabric: neighbour 192.0.2.253 cannot be removed while nved runs"},
		{"tes:\n", "tes:\n  - {address: 198.51.100.99, ttl_security_hops: 1}\n", "tes: neighbour 198.51.100.99 cannot be added while nved runs"},
		{"198.51.100.0/24}", "198.51.100.0/24, max_routes: 5}", "tes: neighbour 198.51.100.0/24 cannot be changed while nved runs"},
		{"tes:\n", "express: {peers: [192.0.2.0/28], password_file: " + password + "}\ntes:\n", "express: cannot change while nved runs"},
		{"nve_id: 192.0.2.1\nas: 65000", "nve_id: 192.0.2.9\nas: 65001",
			"nve_id: cannot change from 192.0.2.1 to 192.0.2.9 while nved runs; restart nved for that, or put it back\nfile: as: cannot change from 65000 to 65001 while nved runs"},
		// and what may change
		{"  - {address: 192.0.2.254, as: 65000, password: secret-one}\n  - {address: 192.0.2.253, as: 65000}\n",
			"  - {address: 192.0.2.253, as: 65000}\n  - {address: 192.0.2.254, as: 65000, password: secret-one}\n", ""},
		{"tes_ids: [203.0.113.1]", "tes_ids: [203.0.113.1, 203.0.113.2]", ""},
		{"vni: 10100}", "vni: 10100, max_vms: 3}\n  - {name: red, vni: 10200}", ""},
		{"port: eth1", "port: eth2", ""},
		{"state: /var", "engine: {memory_limit: 1GiB}\nlog: {level: debug}\nmetrics: 127.0.0.1:1\nlifetimes: {orphaned: 2h}\nquotas: {max_vms_per_tes: 3}\nstate: /var", ""},
	} {
		if !strings.Contains(running, v.old) {
			t.Fatalf("no %q", v.old)
		}
		before, err := ParseNVE("file", strings.NewReader(running))
		if err != nil {
			t.Fatal(err)
		}
		next, err := ParseNVE("file", strings.NewReader(strings.Replace(running, v.old, v.text, 1)))
		if err != nil {
			t.Fatal(err)
		}
		got, want := "", v.want
		if err := CheckReload("file", before, next); err != nil {
			got = err.Error() + "\n"
		}
		if want != "" {
			want = "file: " + want + right
		}
		if got != want {
			t.Errorf("%q instead of %q:\n%swant\n%s", v.text, v.old, got, want)
		}
	}
}

// What may change beside servers, and servers themselves, are told apart, with all that a configuration can have; what is only written otherwise is no change.
func TestSameButServers(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const policies = "profiles: [{type: 5, name: web, pcp: 4, from_vm: {default: deny, rules: [{name: http, action: allow, protocol: tcp, destination_ports: 80}]}}]\n"
	write("key", strings.Repeat("5e", 32)+"\n")
	write("secret", "of the hook, which is long enough\n")
	write("policies", policies)
	whole := strings.ReplaceAll(running+`
policies: DIR/policies
credential_keys:
  - {id: 7, file: DIR/key, vns: [blue]}
hooks: [{url: "https://203.0.113.9/", secret_file: DIR/secret}]
servers:
  - {name: printer, nics: [{vn: blue, port: eth1, mac: 02:00:00:00:00:01, ips: [10.1.0.1]}]}
`, "DIR", dir)
	read := func(text string) (*NVESource, *NVE) {
		t.Helper()
		write("nved.yaml", text)
		s, n, err := ReadNVE(filepath.Join(dir, "nved.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return s, n
	}
	source, before := read(whole)
	for _, v := range []struct {
		old, text string
		same      bool
	}{
		{"", "", true},
		{"nve_id", "# a remark\nnve_id", true},
		{"name: printer", "name: archive", true},
		{"ips: [10.1.0.1]", "policy: 5", true},
		{"  - {name: printer,", "  - {name: archive, nics: [{vn: blue, port: eth1, mac: 02:00:00:00:00:02}]}\n  - {name: printer,", true},
		{"vni: 10100}", "vni: 10100, max_vms: 3}", false},
		{"port: eth1, vn: blue, tes", "port: eth1, bandwidth: 1Gbit, vn: blue, tes", false},
		{"id: 7", "id: 8", false},
		{"/policies", "/other", false},
		{"203.0.113.9", "203.0.113.8", false},
		{"state: /var", "log: {level: debug}\nstate: /var", false},
	} {
		if !strings.Contains(whole, v.old) {
			t.Fatalf("no %q", v.old)
		}
		write("other", policies)
		nextSource, next := read(strings.Replace(whole, v.old, v.text, 1))
		if got := SameButServers(before, next, source, nextSource); got != v.same {
			t.Errorf("%q instead of %q: the same but for servers: %v", v.text, v.old, got)
		}
	}
	for name, text := range map[string]string{"key": strings.Repeat("6f", 32), "policies": strings.Replace(policies, "80", "81", 1)} {
		write(name, text)
		if nextSource, next := read(whole); SameButServers(before, next, source, nextSource) {
			t.Errorf("another text in %s is no change", name)
		}
	}
}

// A reload waits for this.
func BenchmarkReadNVE(b *testing.B) {
	file := filepath.Join(b.TempDir(), "nved.yaml")
	if err := os.WriteFile(file, []byte(running), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := ReadNVE(file); err != nil {
			b.Fatal(err)
		}
	}
}
