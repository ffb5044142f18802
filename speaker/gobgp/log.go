package gobgp

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/sirupsen/logrus"
)

// logger is GoBGP's log as ours: fields in lower case, the peer as "peer" and by its real name, noisy lines once in a while, and what only tells of our own
// stop, or of a rest in which nobody asks, for debugging. GoBGP tells some things only there, so it also listens: for what is counted, for why a session ended, and for what GoBGP thinks fatal,
// which must not end the process.
type logger struct {
	entry    *logrus.Entry
	names    *Names // of peers behind a guard; nil: peers have their own addresses
	heard    func(msg string, fields gobgplog.Fields)
	fatal    func(error)
	stopping atomic.Bool
	resting  atomic.Bool   // nobody asks, and no session is to stand
	freed    atomic.Uint64 // deleted peers whose goroutines are gone

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

// toldByGuard are lines about inner sessions of what the guard tells about the peers' own: who comes, with which AS, and with which NOTIFICATION a session ends.
var toldByGuard = map[string]bool{
	"Peer Up":                 true,
	"skipped asn negotiation": true,
	"received notification":   true,
}

func newLogger(entry *logrus.Entry, names *Names, heard func(string, gobgplog.Fields), fatal func(error)) *logger {
	return &logger{entry: entry, names: names, heard: heard, fatal: fatal, noise: make(map[string]*noise)}
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
		l.entry.WithFields(l.convert(fields)).Debug(msg)
	}
}

// SetLevel does nothing: the level is the daemon's.
func (l *logger) SetLevel(gobgplog.LogLevel) {}

// GetLevel is the daemon's level; both count from panic = 0 to trace = 6.
func (l *logger) GetLevel() gobgplog.LogLevel { return gobgplog.LogLevel(l.entry.Logger.GetLevel()) }

func (l *logger) write(level logrus.Level, msg string, fields gobgplog.Fields) {
	l.heard(msg, fields)
	if level > logrus.ErrorLevel && (l.stopping.Load() || l.resting.Load() || l.names != nil && toldByGuard[msg]) {
		level = logrus.DebugLevel
	}
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
	entry.WithFields(l.convert(fields)).Log(level, msg)
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

// named is a field's value, or the real address of a peer if it is the inner one.
func (l *logger) named(v any) any {
	s, ok := v.(string)
	if !ok || l.names == nil {
		return v
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return l.names.Real(a).String()
	}
	return v
}

// convert names the fields as the rest of the program does. "Key" is the peer's address in nearly all of GoBGP's lines.
func (l *logger) convert(fields gobgplog.Fields) logrus.Fields {
	out := make(logrus.Fields, len(fields))
	for k, v := range fields {
		v = l.named(v)
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
