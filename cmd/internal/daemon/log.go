package daemon

import (
	"io"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/config"
)

// NewLog makes a daemon's log.
func NewLog(w io.Writer, c config.Log) *logrus.Logger {
	l := logrus.New()
	l.SetOutput(w)
	if level, err := logrus.ParseLevel(c.Level); err == nil {
		l.SetLevel(level)
	}
	if c.JSON {
		l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"})
	}
	return l
}
