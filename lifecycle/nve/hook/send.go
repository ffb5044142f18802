package hook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer is how much of an answer is read; nothing in it matters.
const maxAnswer = 64 << 10

// NewClient makes a client for one hook. It trusts the system's authorities and those of cas (DER), uses no proxy, and follows no redirection: what is signed is
// for the URL that was configured. Timeout is for an attempt as a whole.
func NewClient(cas [][]byte, timeout time.Duration) (*http.Client, error) {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: timeout,
		MaxIdleConnsPerHost: parallel,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   true,
	}
	if len(cas) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // a system without any
		}
		for _, der := range cas {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("read an authority's certificate: %w", err)
			}
			pool.AddCert(c)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: t, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// send makes one attempt. Anything but an answer 2xx is an error, which does not show the URL.
func (h *Hook) send(ctx context.Context, d *delivery) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(d.body))
	if err != nil {
		return plain(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "tns-nved")
	q.Header.Set("Tns-Event", d.event)
	q.Header.Set("Tns-Event-Id", d.id)
	q.Header.Set("Tns-Attempt", strconv.Itoa(d.attempts+1))
	q.Header.Set("Tns-Signature", Signature(h.Secret, d.body))
	r, err := h.Client.Do(q)
	if err != nil {
		return plain(err)
	}
	defer r.Body.Close()
	_, _ = io.CopyN(io.Discard, r.Body, maxAnswer) // so that the connection can be used again
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("answered %s", r.Status)
	}
	return nil
}

// plain is a client's error without the URL, whose query is nobody's business.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
