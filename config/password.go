package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxPassword is the longest key of TCP MD5 on Linux (TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

var password = kind[string]{
	fmt.Sprintf("1 to %d octets", maxPassword),
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case len(s) > maxPassword:
			return s, fmt.Errorf("%d octets long", len(s))
		}
		return s, nil
	},
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
		path, ok := allow(c, file, raw.PasswordFile, passwordPath)
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
