package guard

import (
	"net"
	"os"
	"testing"
	"time"
)

// lateConn is a connection whose first deadline has passed before anybody could read.
type lateConn struct {
	net.Conn
	reads int
}

func (c *lateConn) SetReadDeadline(time.Time) error { return nil }

func (c *lateConn) Read(b []byte) (int, error) {
	if c.reads++; c.reads == 1 {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(b, "x"), nil
}

// Who stood still, as a machine that was suspended, reads what was said meanwhile.
func TestSilenceThatWasOurs(t *testing.T) {
	if n, err := heed(&lateConn{}).Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d octets, %v", n, err)
	}
}
