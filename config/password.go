package config

import (
	"errors"
	"fmt"
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
		value, err := c.files.secret(path, false)
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
