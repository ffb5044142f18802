package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// credentialed makes the edge want credentials in blue, by the keys of the given numbers.
func (w *world) credentialed(ids ...int) {
	w.t.Helper()
	keys := "credential_keys:\n"
	for _, id := range ids {
		name := fmt.Sprintf("%d.key", id)
		w.write(name, strings.Repeat(fmt.Sprintf("%02x", id), 32)+"\n")
		keys += fmt.Sprintf("  - {id: %d, file: DIR/%s, vns: [blue]}\n", id, name)
	}
	w.change("nved.yaml", "  - {name: blue, vni: 10100}\n", "  - {name: blue, vni: 10100, authorization: credential}\n"+keys)
}

// mint makes credentials for the VM in the file vm.credentials.
func (w *world) mint(args ...string) {
	w.t.Helper()
	mint := []string{"credential", "mint", "--vm", vmid, "--nic", strings.Replace(nic, "blue", "10100", 1)}
	s := w.do(w.in(w.tes, "tnsctl", append(mint, args...)...))
	if s.status != 0 {
		w.t.Fatalf("mint: exit status %d: %s", s.status, s.errs)
	}
	w.write("vm.credentials", s.out)
}

// refused does one step of the VM's life, which must be refused.
func (w *world) refused(reason int, op string, args ...string) {
	w.t.Helper()
	s := w.tnsctl("tesd", append([]string{"--json", "vm", op, "--vm", vmid}, args...)...)
	if r := decode[result](w.t, s); s.status != 1 || r.ReasonCode != reason {
		w.t.Errorf("%s %q: exit status %d, %+v; want that it is refused with reason %d", op, args, s.status, r, reason)
	}
}

// A VN that wants credentials: who has none, a wrong one, one that expired, is refused; what was accepted stays so when the credential expires, when nved
// restarts, and when the key goes.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	w.credentialed(7, 8)
	nved := w.start("nved")
	w.start("tesd")
	w.established()
	with := []string{"--nic", nic, "--credentials", "vm.credentials"}

	w.refused(13, "associate", "--nic", nic)
	w.mint("--tes", "198.51.100.12", "--key", "7.key", "--key-id", "7")
	w.refused(13, "associate", with...) // of another TES
	w.mint("--tes", "198.51.100.11", "--key", "8.key", "--key-id", "7")
	w.refused(13, "associate", with...) // by another key
	w.mint("--tes", "198.51.100.11", "--key", "7.key", "--key-id", "9")
	w.refused(13, "associate", with...) // by a key that the VN has not
	w.mint("--tes", "198.51.100.11", "--key", "7.key", "--key-id", "7", "--expiry", fmt.Sprint(time.Now().Unix()-1))
	w.refused(13, "associate", with...)
	w.refused(13, "associate", append(with, "--dry-run")...)
	if w.forwards(mac) {
		t.Error("refused, and the kernel has an entry")
	}

	expiry := time.Now().Add(5 * time.Second)
	w.mint("--tes", "198.51.100.11", "--key", "7.key", "--key-id", "7", "--expiry", fmt.Sprint(expiry.Unix()))
	w.operate("associate", append(with, "--dry-run")...)
	w.operate("associate", with...)
	if !w.forwards(mac) {
		t.Error("accepted, and the kernel has no entry")
	}

	t.Run("what was accepted stays so", func(t *testing.T) {
		if status := nved.end(syscall.SIGTERM); status != 0 {
			t.Errorf("exit status %d after SIGTERM, want 0", status)
		}
		w.change("nved.yaml", "  - {id: 7, file: "+filepath.Join(w.dir, "7.key")+", vns: [blue]}\n", "")
		eventually(t, "wait until the credential has expired", func() error {
			if !time.Now().After(expiry) {
				return fmt.Errorf("it has %s", time.Until(expiry))
			}
			return nil
		})
		nved = w.start("nved")
		w.becomes("nved", "associated", "")
		w.becomes("tesd", "associated", "")
		w.operate("suspend")
		w.operate("resume")
		w.operate("keep-alive")
	})

	t.Run("the end is the end", func(t *testing.T) {
		w.operate("terminate")
		w.refused(13, "associate", with...)
		w.mint("--tes", "198.51.100.11", "--key", "8.key", "--key-id", "8")
		w.operate("associate", with...)
	})

	if story := w.tnsctl("nved", "vm", "explain", vmid).out; !strings.Contains(story, "the VN has no key 7") {
		t.Errorf("the VM's story does not say why it was refused:\n%s", story)
	}

	t.Run("failures are counted and logged, without the key", func(t *testing.T) {
		metrics := w.do(w.in(w.nve, "curl", "-sf", "http://127.0.0.1:9479/metrics")).out
		want := `tns_nve_authorization_failures_total{reason="bad, missing or expired credential",tes="198.51.100.11"} 2`
		if !strings.Contains(metrics, want) {
			t.Errorf("%q is missing in\n%s", want, metrics)
		}
		if status := nved.end(syscall.SIGTERM); status != 0 {
			t.Errorf("exit status %d after SIGTERM, want 0", status)
		}
		log := nved.log.String()
		for _, want := range []string{"vm=" + vmid, "tes=198.51.100.11", "has no key 7"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log has no %q:\n%s", want, log)
			}
		}
		for _, key := range []string{"0707", "0808"} {
			if strings.Contains(log, key) {
				t.Errorf("the log shows a key (%s…):\n%s", key, log)
			}
		}
	})

	t.Run("a key that others can read is refused", func(t *testing.T) {
		if err := os.Chmod(filepath.Join(w.dir, "8.key"), 0o644); err != nil {
			t.Fatal(err)
		}
		if s := w.do(w.in(w.nve, "nved", "--config", "nved.yaml", "--check")); s.status != 2 || !strings.Contains(s.errs, "credential_keys[0].file") || !strings.Contains(s.errs, "0644") {
			t.Errorf("exit status %d, %s; want 2 with the key and the mode", s.status, s.errs)
		}
	})
}
