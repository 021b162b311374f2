package cmd

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// reloadOnSignal reads the configuration anew at every hangup signal, until
// stop is called.
func (s *workerSet) reloadOnSignal() (stop func()) { return s.a.onHangup(s.reload) }

// onHangup calls reload at every hangup signal, until stop is called.
func (a *app) onHangup(reload func()) (stop func()) {
	signals, ignore := hangups(a.streams.ErrIsTerminal())
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-signals:
				reload()
			case <-done:
				return
			}
		}
	})
	return func() {
		ignore()
		close(done)
		running.Wait()
	}
}

// reload reads the configuration again and gives every worker its new settings,
// or none of them when anything is wrong with it. What needs a restart is compared
// with the start, so that it is said every time until it is done.
func (s *workerSet) reload() {
	next, settings, err := s.read()
	if err != nil {
		tellNotReloaded(s.log, err)
		return
	}
	elsewhere := s.a.needRestart(next)
	for i, q := range s.list {
		s.apply(q, settings[i], elsewhere)
	}
}

// tellNotReloaded logs what is wrong with the new configuration.
func tellNotReloaded(log *slog.Logger, err error) {
	for _, problem := range split(err) {
		log.Error("configuration not reloaded, the old one holds", "err", render.Text(problem.Error()))
	}
}

// reread returns the configuration as it is now.
func (a *app) reread(log *slog.Logger) (*config.Config, error) {
	next, warnings, err := a.config.Reload()
	for _, w := range warnings {
		log.Warn("configuration", "warning", render.Text(w.String()))
	}
	if err != nil {
		return nil, err
	}
	if err := a.overrule(next); err != nil {
		return nil, err
	}
	next.SetCluster(a.config.Cluster, a.config.Origin("cluster"))
	return next, nil
}

// read returns the configuration as it is now and what it means for each queue.
func (s *workerSet) read() (*config.Config, []workerSettings, error) {
	next, err := s.a.reread(s.log)
	if err != nil {
		return nil, nil, err
	}
	var all []workerSettings
	for _, q := range s.list {
		settings, err := s.resettle(next, q)
		if err != nil {
			for _, made := range all {
				made.close(s)
			}
			return nil, nil, err
		}
		all = append(all, settings)
	}
	return next, all, nil
}

// resettle returns the new settings of one queue. A queue that is elsewhere now,
// or not configured any more, keeps its old ones.
func (s *workerSet) resettle(next *config.Config, q *queueWorker) (workerSettings, error) {
	resolved, err := next.Resolve(q.name)
	if err != nil {
		return workerSettings{}, err
	}
	t := target{Target: resolved, q: q.t.q}
	if t.base() != q.t.base() {
		return workerSettings{target: t, config: q.now.config}, nil
	}
	settings, err := s.settings(t)
	if err != nil {
		return settings, fmt.Errorf("queue %s: %w", t.label(), err)
	}
	return settings, nil
}

// apply gives one worker its new settings and says what has changed.
func (s *workerSet) apply(q *queueWorker, next workerSettings, elsewhere []string) {
	log := s.log.With("queue", q.t.base().String())
	restart := slices.Clone(elsewhere)
	if base := next.target.base(); base != q.t.base() {
		restart = append(restart, arrow("key base", q.t.base(), base))
		log.Warn("configuration not reloaded for this queue, restart the worker for it", "restart", strings.Join(restart, ", "))
		return
	}
	if before, after := q.now.config.Lock, next.config.Lock; before != after {
		restart = append(restart, arrow("lockDuration", before, after))
	}
	next.config.Lock = q.now.config.Lock
	changed := changes(q.now, next)
	if err := q.worker.Update(next.config); err != nil {
		next.close(s)
		log.Error("configuration not reloaded, the old one holds", "err", err)
		return
	}
	q.now.close(s) // programs that run go on
	q.now = next
	attrs := []any{"changed", "nothing"}
	if len(changed) > 0 {
		attrs[1] = strings.Join(changed, ", ")
	}
	if len(restart) == 0 {
		log.Info("configuration reloaded", attrs...)
		return
	}
	log.Warn("configuration reloaded, but not all of it: restart the worker", append(attrs, "restart", strings.Join(restart, ", "))...)
}

// changes lists what differs between two settings of a queue and is applied at
// once.
func changes(before, after workerSettings) []string {
	a, b := before.config, after.config
	var list []string
	for _, c := range []struct{ key, before, after string }{
		{"concurrency", fmt.Sprint(a.Concurrency), fmt.Sprint(b.Concurrency)},
		{"limiter", rateText(a.Limiter), rateText(b.Limiter)},
		{"timeout", timeText(a.Timeout), timeText(b.Timeout)},
		{"stalledInterval", timeText(a.StalledInterval), timeText(b.StalledInterval)},
		{"maxStalledCount", fmt.Sprint(a.MaxStalled), fmt.Sprint(b.MaxStalled)},
		{"keep.completed", keepText(a.KeepCompleted), keepText(b.KeepCompleted)},
		{"keep.failed", keepText(a.KeepFailed), keepText(b.KeepFailed)},
		{"handler", before.handler.text, after.handler.text},
		{"handler.env", before.handler.env, after.handler.env},
	} {
		if c.before != c.after {
			list = append(list, arrow(c.key, c.before, c.after))
		}
	}
	return list
}

// arrow words one change.
func arrow(key string, before, after any) string {
	return fmt.Sprintf("%s %v → %v", key, before, after)
}

func timeText(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

func keepText(k *queue.Keep) string {
	switch {
	case k == nil:
		return "all"
	case k.Age != nil && k.Count != nil:
		return fmt.Sprintf("%d, %s", *k.Count, *k.Age)
	case k.Age != nil:
		return k.Age.String()
	}
	return fmt.Sprint(*k.Count)
}

// needRestart lists what differs from the start of the process and holds to its
// end. Addresses are not repeated: they may hold passwords.
func (a *app) needRestart(after *config.Config) []string {
	before := a.config
	var list []string
	if !a.flags.changed("redis") && !sameRedis(before.Redis, after.Redis) {
		list = append(list, "redis")
	}
	if before.Context != after.Context {
		list = append(list, "context")
	}
	if before.ReadOnly != after.ReadOnly {
		list = append(list, "readOnly")
	}
	return list
}

func sameRedis(a, b config.Redis) bool {
	secrets := a.URL.Equal(b.URL) && a.Password.Equal(b.Password) && a.SentinelPassword.Equal(b.SentinelPassword)
	a.URL, a.Password, a.SentinelPassword = b.URL, b.Password, b.SentinelPassword
	return secrets && reflect.DeepEqual(a, b)
}
