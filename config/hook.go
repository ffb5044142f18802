package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Hook is a middlebox, or who speaks for several, that is told of VMs (§3.3.6).
type Hook struct {
	URL      string
	Name     string // the URL without its query, for people
	Events   []string
	Refusals bool     // also of requests that were refused
	Secret   []byte   // that notices are signed with; nil: withheld from this process
	CAs      [][]byte // certificates (DER) of authorities beside the system's
	Timeout  time.Duration
	Retries  int
	Backoff  time.Duration // before the first retry; the others wait twice as long each, a minute at most or this if it is longer
	Queue    int           // notices that wait
}

// The events of hooks.
const (
	HookImmigration  = "immigration"
	HookEmigration   = "emigration"
	HookAssociation  = "association"
	HookSuspension   = "suspension"
	HookResumption   = "resumption"
	HookTermination  = "termination"
	HookDisplacement = "displacement"
)

// HookEvents is all events of hooks.
var HookEvents = []string{HookImmigration, HookEmigration, HookAssociation, HookSuspension, HookResumption, HookTermination, HookDisplacement}

// shortestSecret is the fewest octets of a secret that notices are signed with.
const shortestSecret = 16

var (
	hookURL = kind[*url.URL]{
		"an https:// or http:// URL without user and fragment, such as https://firewall.example/tns",
		func(s string) (*url.URL, error) {
			u, err := url.Parse(s)
			switch {
			case err != nil:
				return nil, errors.New("not a URL")
			case u.Scheme != "https" && u.Scheme != "http":
				return u, errors.New("neither https nor http")
			case u.Hostname() == "":
				return u, errors.New("no host in it")
			case u.User != nil:
				return u, errors.New("a user in it, whom everybody would see")
			case u.Fragment != "":
				return u, errors.New("a fragment in it")
			}
			return u, nil
		},
	}
	hookEvent = word(HookEvents, HookEvents...)
)

// hooks checks the hooks. No error shows a secret.
func (c *checker) hooks(raw []rawHook) []Hook {
	var hooks []Hook
	names := firsts[string]{}
	for i := range raw {
		key, r := index("hooks", i), &raw[i]
		h := Hook{
			Events:   each(c, join(key, "events"), r.Events, hookEvent),
			Refusals: preset(c, join(key, "refusals"), r.Refusals, hookRefusals),
			Timeout:  preset(c, join(key, "timeout"), r.Timeout, hookTimeout),
			Retries:  preset(c, join(key, "retries"), r.Retries, hookRetries),
			Backoff:  preset(c, join(key, "backoff"), r.Backoff, hookBackoff),
			Queue:    preset(c, join(key, "queue"), r.Queue, hookQueue),
		}
		if h.URL, h.Name = c.hookURL(join(key, "url"), r.URL); h.URL != "" {
			names.once(c, h.Name, join(key, "url"), &h.Name, "a hook has one entry; a query makes no difference")
		}
		switch {
		case r.Events == nil:
			h.Events = []string{HookImmigration, HookEmigration}
		case len(r.Events) == 0 && c.sound(join(key, "events")):
			c.report(join(key, "events"), nil, "an empty list", "list at least one event, or leave the key out")
		}
		h.Secret = c.hookSecret(join(key, "secret_file"), r.Secret)
		h.CAs = c.hookCAs(join(key, "ca_file"), r.CA)
		hooks = append(hooks, h)
	}
	return hooks
}

// hookURL is the URL, and the part of it that may be shown: no user, no query.
func (c *checker) hookURL(key string, text *string) (whole, shown string) {
	if text == nil || !c.sound(key) {
		need(c, key, text, hookURL)
		return "", ""
	}
	u, err := hookURL.parse(*text)
	if u != nil {
		whole = u.String()
		u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
		shown = u.String()
	}
	if err != nil {
		text := shown
		c.report(key, &text, err.Error(), "want "+hookURL.right)
		return "", ""
	}
	return whole, shown
}

// hookSecret is what a secret file holds.
func (c *checker) hookSecret(key string, text *string) []byte {
	path, ok := need(c, key, text, secretPath)
	if !ok {
		return nil
	}
	secret, err := c.files.secret(path, true)
	if errors.Is(err, errWithheld) {
		return nil
	}
	if err == nil && len(secret) < shortestSecret {
		err = fmt.Errorf("%d octets are too few", len(secret))
	}
	if err != nil {
		c.report(key, text, err.Error(), fmt.Sprintf("want a file of mode 0600 that holds at least %d octets, as `openssl rand -hex 32` makes them", shortestSecret))
	}
	return []byte(secret)
}

// hookCAs is the certificates of a file.
func (c *checker) hookCAs(key string, text *string) [][]byte {
	path, ok := allow(c, key, text, caPath)
	if !ok {
		return nil
	}
	held, err := c.files.secret(path, false)
	var certificates [][]byte
	for rest := []byte(held); err == nil; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			if _, err = x509.ParseCertificate(block.Bytes); err == nil {
				certificates = append(certificates, slices.Clone(block.Bytes))
			}
		}
	}
	if err == nil && len(certificates) == 0 {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		c.report(key, text, err.Error(), "want a file of PEM certificates")
	}
	return certificates
}
