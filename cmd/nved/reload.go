package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/config"
)

// supervisorQuestion is what an engine asks the supervisor: for a reload, or only what became of the last one. The answer is an outcome.
type supervisorQuestion struct {
	OnlyTell bool
}

// engineQuestion is what the supervisor asks an engine: whether another configuration may take over, or, without one, to take other servers itself. The answer is
// what speaks against it, a list, or a serversAnswer. Engine and supervisor may be of different versions: what is asked and answered is only ever added to.
type engineQuestion struct {
	Next    *config.NVESource
	Servers []config.Server
}

// serversAnswer is what speaks against other servers, and whether they are taken.
type serversAnswer struct {
	Against []string
	Taken   bool
}

// outcome is what became of a reload.
type outcome struct {
	Number   uint64 // since the start; 0: there was none
	Running  bool
	Changed  bool     // the configuration is another one now
	Problems []string // why it is not, if it is refused
	Elapsed  time.Duration
}

const (
	mayTime   = 10 * time.Second // the longest time for the engine to say whether it may be replaced
	readyTime = 30 * time.Second // and for the next one to be ready
)

// reloader reads the configuration again when it is told to, and has the engine replaced by one with what it read, or take the servers where nothing else has changed.
// The guard goes on: what only a new guard could take over is refused.
type reloader struct {
	supervisor *supervisor.Supervisor
	log        *logrus.Entry
	hangup     chan os.Signal

	one     sync.Mutex // a reload at a time
	file    string
	current *config.NVE
	told    handover

	mu   sync.Mutex
	last outcome
	ctx  context.Context // of run
}

func newReloader(c configured, h handover, s *supervisor.Supervisor, log *logrus.Entry) *reloader {
	r := &reloader{supervisor: s, log: log, hangup: make(chan os.Signal, 1), file: c.source.Name, current: c.NVE, told: h, ctx: context.Background()}
	signal.Notify(r.hangup, syscall.SIGHUP) // from the first moment on: it would end the process
	return r
}

// run reloads on SIGHUP until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	defer signal.Stop(r.hangup)
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hangup:
			r.reload()
		}
	}
}

// answer answers an engine. The one that asked for a reload is gone when it was carried out.
func (r *reloader) answer(_ context.Context, question json.RawMessage) (any, error) {
	var q supervisorQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	if q.OnlyTell {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.last, nil
	}
	return r.reload(), nil
}

// reload reads the configuration and takes it over, or leaves all as it was.
func (r *reloader) reload() outcome {
	if !r.one.TryLock() {
		return outcome{Problems: []string{"another reload is under way"}}
	}
	defer r.one.Unlock()
	began := time.Now()
	r.mu.Lock()
	r.last = outcome{Number: r.last.Number + 1, Running: true}
	o, ctx := r.last, r.ctx
	r.mu.Unlock()

	var err error
	o.Changed, err = r.carryOut(ctx)
	o.Running, o.Elapsed, o.Problems = false, time.Since(began), problems(err)
	r.mu.Lock()
	r.last = o
	r.mu.Unlock()
	log := r.log.WithField("file", r.file)
	switch {
	case err != nil:
		for _, p := range o.Problems {
			log.WithField("problem", p).Error("the configuration is not reloaded; all is as it was")
		}
	case !o.Changed:
		log.Info("the configuration is as it was; nothing is to be reloaded")
	default:
		log.WithField("after", o.Elapsed.Round(time.Millisecond)).Info("the configuration is reloaded")
	}
	return o
}

// carryOut is a reload; the error joins all that speaks against it.
func (r *reloader) carryOut(ctx context.Context) (changed bool, err error) {
	source, next, err := config.ReadNVE(r.file)
	if err != nil {
		return false, errors.Join(err, next.CheckHost())
	}
	if reflect.DeepEqual(source, r.told.Source) {
		return false, nil
	}
	h := r.told
	h.Source, h.Before = source, r.told.Source.WithoutKeys()
	if config.SameButServers(r.current, next, r.told.Source, source) {
		if done, err := r.takeServers(ctx, h, next); done || err != nil {
			return done, err
		}
	}
	if err := errors.Join(config.CheckReload(r.file, r.current, next), next.CheckHost()); err != nil {
		return false, err
	}
	var against []string
	if err := r.ask(ctx, engineQuestion{Next: source}, &against); err != nil {
		return false, fmt.Errorf("%w; try again", err)
	}
	if len(against) > 0 {
		return false, all(against)
	}
	err = r.replace(ctx, h, next)
	return err == nil, err
}

// takeServers has the engine take the servers of the next configuration. Done is false, without an error, if only another engine can. Whatever becomes of the engine
// meanwhile, the one that runs then has what the outcome says.
func (r *reloader) takeServers(ctx context.Context, h handover, next *config.NVE) (done bool, err error) {
	_, engineBefore := children(r.told, r.current)
	_, engineNext := children(h, next)
	r.supervisor.Prepare(engineProcess, engineNext)
	var a serversAnswer
	err = r.ask(ctx, engineQuestion{Servers: next.Servers}, &a)
	if err == nil && a.Taken {
		r.took(h, next)
		return true, nil
	}
	r.supervisor.Prepare(engineProcess, engineBefore)
	if err != nil { // it may have taken them or not, and may have ended
		err = r.replace(ctx, h, next)
		return err == nil, err
	}
	return false, all(a.Against)
}

// ask asks the engine. The answer comes into what a points to.
func (r *reloader) ask(ctx context.Context, q engineQuestion, a any) error {
	asking, cancel := context.WithTimeout(ctx, mayTime)
	defer cancel()
	return r.supervisor.Ask(asking, engineProcess, q, a)
}

// replace has an engine with the next configuration take the place of the one that runs.
func (r *reloader) replace(ctx context.Context, h handover, next *config.NVE) error {
	_, engineNext := children(h, next)
	if err := r.supervisor.Replace(ctx, engineProcess, engineNext, readyTime); err != nil {
		return fmt.Errorf("the engine did not start with it, and runs with the one before: %w", err)
	}
	r.took(h, next)
	return nil
}

// took notes what runs now, for the next guard and the next reload.
func (r *reloader) took(h handover, next *config.NVE) {
	guardNext, _ := children(h, next)
	r.supervisor.Prepare(guardProcess, guardNext)
	r.told, r.current = h, next
}

// all is the error of several problems, nil of none.
func all(problems []string) (err error) {
	for _, text := range problems {
		err = errors.Join(err, errors.New(text))
	}
	return err
}

// problems is an error's parts, one a line.
func problems(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, problems(e)...)
		}
		return all
	}
	return []string{err.Error()}
}
