package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
)

// session is what all kinds of neighbours have.
type session struct {
	Port         uint16
	LocalAddress netip.Addr
	HoldTime     time.Duration
	ConnectRetry time.Duration
	MultihopTTL  uint8
	Password     string
}

// session checks the keys that all neighbours have; remote is the neighbour's address, invalid if it has none.
func (c *checker) session(key string, raw *rawSession, remote netip.Addr) session {
	s := session{
		Port:         preset(c, join(key, "port"), raw.Port, bgpPort),
		HoldTime:     preset(c, join(key, "hold_time"), raw.HoldTime, holdTime),
		ConnectRetry: preset(c, join(key, "connect_retry"), raw.ConnectRetry, connectRetry),
		MultihopTTL:  preset(c, join(key, "multihop_ttl"), raw.MultihopTTL, multihopTTL),
		Password:     c.password(key, raw),
	}
	local, ok := allow(c, join(key, "local_address"), raw.LocalAddress, sessionAddress)
	switch {
	case !ok:
	case remote.IsValid() && remote.Is4() != local.Is4():
		c.report(join(key, "local_address"), raw.LocalAddress, fmt.Sprintf("not of the family of the neighbour %s", remote), "want an address of this machine of that family")
	case remote == local:
		c.report(join(key, "local_address"), raw.LocalAddress, "the neighbour's own address", "want one of this machine")
	default:
		s.LocalAddress = local
	}
	return s
}

// password is the session's TCP MD5 password, from the file or from a file of its own. No error shows it.
func (c *checker) password(key string, raw *rawSession) string {
	inline, file := join(key, "password"), join(key, "password_file")
	switch {
	case raw.Password != nil && raw.PasswordFile != nil:
		c.report(file, raw.PasswordFile, "given beside password", "keep one of the two")
	case raw.Password != nil:
		value, err := password.parse(*raw.Password)
		if err != nil {
			c.report(inline, nil, err.Error(), "want "+password.right)
		}
		return value
	case raw.PasswordFile != nil:
		path, ok := allow(c, file, raw.PasswordFile, absolutePath)
		if !ok {
			return ""
		}
		value, err := c.secret(path)
		if err == nil {
			_, err = password.parse(value)
		}
		if err != nil {
			c.report(file, raw.PasswordFile, err.Error(), "want a file that holds a password of "+password.right)
		}
		return value
	}
	return ""
}

// readSecret reads a password file; a line end after the password does not belong to it.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", reason(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return "", reason(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return "", reason(err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// reason is why the system refused, without the path, which the problem shows already.
func reason(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
