package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/speaker/link"
)

// answerLink turns a client's connection into an engine's link, if both speak one version of it.
func (g *Guard) answerLink(ctx context.Context, c net.Conn, version int) {
	if version != link.Version {
		_ = tellClient(c, answer{Error: fmt.Sprintf("the guard has version %d of the link, the engine version %d: restart nved, so that both are of one program",
			link.Version, version)})
		return
	}
	if tellClient(c, answer{}) != nil || c.SetDeadline(time.Time{}) != nil {
		return
	}
	err := g.Link(ctx, c)
	level := logrus.WarnLevel
	switch {
	case err == nil:
		return
	case errors.Is(err, io.EOF) || errors.Is(err, errReplaced): // who watches its process knows more
		level = logrus.InfoLevel
	}
	g.config.Log.WithError(err).Log(level, "the engine is down, the sessions stay")
}

// Link is the engine's end of Guard.Link, of a guard in another process.
func (c Client) Link(ctx context.Context) (net.Conn, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	a, err := conn.linked()
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask the guard for the link: %w", err)
	}
	return conn.Conn, nil
}

// linked asks for the link. The answer is read octet by octet: what comes after it is the link's.
func (d dialogue) linked() (a answer, err error) {
	if err := d.say(question{Ask: linking, Version: link.Version}); err != nil {
		return a, err
	}
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := d.Read(b); err != nil {
			return a, err
		}
		if b[0] == '\n' {
			return a, json.Unmarshal(line, &a)
		}
	}
}
