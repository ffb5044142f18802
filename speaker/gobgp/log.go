package gobgp

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/sirupsen/logrus"
)

// logger is GoBGP's log as ours: fields in lower case, the peer as "peer", noisy lines once in a while. GoBGP tells some things only there, so it also
// listens: for what is counted, for why a session ended, and for what GoBGP thinks fatal, which must not end the process.
type logger struct {
	entry *logrus.Entry
	heard func(msg string, fields gobgplog.Fields)
	fatal func(error)
	freed atomic.Uint64 // deleted peers whose goroutines are gone

	mu    sync.Mutex
	noise map[string]*noise
}

type noise struct {
	since      time.Time
	suppressed int
}

var _ gobgplog.Logger = (*logger)(nil)

// noisy lines come per route or per connection; one a noisePeriod is written, with how many were not.
var noisy = map[string]bool{
	"No matching path for withdraw found":                   true,
	"Closed an accepted connection":                         true,
	"Can't find configuration for a new passive connection": true,
	"the received Update message was treated as withdraw":   true,
	"Some attributes were discarded":                        true,
	"Capability was disabled":                               true,
	"failed to serialize":                                   true,
}

const noisePeriod = 10 * time.Second

func newLogger(entry *logrus.Entry, heard func(string, gobgplog.Fields), fatal func(error)) *logger {
	return &logger{entry: entry, heard: heard, fatal: fatal, noise: make(map[string]*noise)}
}

// discard is a log that goes nowhere.
func discard() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

func (l *logger) Panic(msg string, fields gobgplog.Fields) {
	l.write(logrus.ErrorLevel, msg, fields)
	panic(fmt.Sprintf("gobgp: %s: %v", msg, fields))
}

func (l *logger) Fatal(msg string, fields gobgplog.Fields) {
	l.write(logrus.ErrorLevel, msg, fields)
	if err, ok := fields["Err"].(error); ok {
		l.fatal(fmt.Errorf("gobgp: %s: %w", msg, err))
		return
	}
	l.fatal(fmt.Errorf("gobgp: %s: %v", msg, fields))
}

func (l *logger) Error(msg string, fields gobgplog.Fields) { l.write(logrus.ErrorLevel, msg, fields) }
func (l *logger) Warn(msg string, fields gobgplog.Fields)  { l.write(logrus.WarnLevel, msg, fields) }
func (l *logger) Info(msg string, fields gobgplog.Fields)  { l.write(logrus.InfoLevel, msg, fields) }

// Debug is called for each message and route, so nothing is heard there but the end of a deleted peer.
func (l *logger) Debug(msg string, fields gobgplog.Fields) {
	if msg == "freed fsm.h" {
		l.freed.Add(1)
	}
	if l.entry.Logger.IsLevelEnabled(logrus.DebugLevel) {
		l.entry.WithFields(convert(fields)).Debug(msg)
	}
}

// SetLevel does nothing: the level is the daemon's.
func (l *logger) SetLevel(gobgplog.LogLevel) {}

// GetLevel is the daemon's level; both count from panic = 0 to trace = 6.
func (l *logger) GetLevel() gobgplog.LogLevel { return gobgplog.LogLevel(l.entry.Logger.GetLevel()) }

func (l *logger) write(level logrus.Level, msg string, fields gobgplog.Fields) {
	l.heard(msg, fields)
	if !l.entry.Logger.IsLevelEnabled(level) {
		return
	}
	entry := l.entry
	if noisy[msg] {
		suppressed, due := l.due(msg)
		if !due {
			return
		}
		if suppressed > 0 {
			entry = entry.WithField("suppressed", suppressed)
		}
	}
	entry.WithFields(convert(fields)).Log(level, msg)
}

// due reports whether a noisy line may be written, and how many were not since the last.
func (l *logger) due(msg string) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, now := l.noise[msg], time.Now()
	if n == nil {
		n = new(noise)
		l.noise[msg] = n
	}
	if now.Sub(n.since) < noisePeriod {
		n.suppressed++
		return 0, false
	}
	suppressed = n.suppressed
	n.since, n.suppressed = now, 0
	return suppressed, true
}

// convert names the fields as the rest of the program does. "Key" is the peer's address in nearly all of GoBGP's lines.
func convert(fields gobgplog.Fields) logrus.Fields {
	out := make(logrus.Fields, len(fields))
	for k, v := range fields {
		switch k {
		case "Topic", gobgplog.FieldFacility:
		case "Key":
			if fields["Topic"] == "Peer" {
				out["peer"] = v
			} else {
				out["key"] = v
			}
		case "Err", "Error", "error":
			out[logrus.ErrorKey] = v
		default:
			out[strings.ToLower(k)] = v
		}
	}
	return out
}
