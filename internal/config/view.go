package config

import (
	"encoding/json"
	"fmt"
	"time"
)

// Setting is one value of the configuration in force, or a group of them.
type Setting struct {
	Key    string
	Path   string // where the file has it
	Value  any    // nil, string, int, float64, bool, []string or json.RawMessage; passwords are masked
	Group  []Setting
	List   []Setting // groups without keys
	Origin Origin
}

// Settings returns everything in force, in the order of the file's keys.
// Values are spelled as the file spells them. The values of a context stand
// where they apply; the context itself is left out. A built-in queue that was
// taken away is null.
func (c *Config) Settings() []Setting {
	v := viewer{c}
	settings := []Setting{v.value("", "version", 1)}
	if redis := v.redis(); len(redis) > 0 {
		settings = append(settings, group("", "redis", redis))
	}
	settings = append(settings, v.value("", "readOnly", c.ReadOnly))
	if len(c.Protected) > 0 {
		settings = append(settings, v.value("", "protected", c.Protected))
	}
	settings = append(settings, group("", "defaults", []Setting{
		v.standard("prefix", c.Prefix),
		v.standard("output", c.Output),
		v.standard("color", c.Color),
		v.standard("timeout", showDuration(c.Timeout)),
	}))
	queues := make([]Setting, len(c.Queues))
	for i := range c.Queues {
		queues[i] = group("queues", c.Queues[i].Alias, v.queue(&c.Queues[i]))
	}
	for _, q := range builtinQueues() {
		if c.index(q.Alias) < 0 {
			queues = append(queues, v.value("queues", q.Alias, nil))
		}
	}
	settings = append(settings, group("", "queues", queues))
	if len(c.Schedules) > 0 {
		settings = append(settings, v.schedules())
	}
	if w := v.workforce0(); len(w) > 0 {
		settings = append(settings, group("", "workforce0", w))
	}
	return settings
}

// viewer makes settings of values.
type viewer struct{ config *Config }

func group(path, key string, settings []Setting) Setting {
	return Setting{Key: key, Path: join(path, key), Group: settings}
}

func (v viewer) value(path, key string, value any) Setting {
	at := join(path, key)
	return Setting{Key: key, Path: at, Value: value, Origin: v.config.Origin(at)}
}

// standard is one of the defaults, whose origins are kept by their bare names.
func (v viewer) standard(key string, value any) Setting {
	return Setting{Key: key, Path: join("defaults", key), Value: value, Origin: v.config.Origin(key)}
}

// some appends the settings that hold something.
func (v viewer) some(to []Setting, path, key string, value any) []Setting {
	switch value := value.(type) {
	case string:
		if value == "" {
			return to
		}
	case int:
		if value == 0 {
			return to
		}
	case bool:
		if !value {
			return to
		}
	case []string:
		if value == nil {
			return to
		}
	case json.RawMessage:
		if value == nil {
			return to
		}
	case time.Duration:
		if value == 0 {
			return to
		}
		return append(to, v.value(path, key, showDuration(value)))
	case time.Time:
		if value.IsZero() {
			return to
		}
		return append(to, v.value(path, key, value.Format(time.RFC3339Nano)))
	}
	return append(to, v.value(path, key, value))
}

func (v viewer) redis() []Setting {
	r, path := v.config.Redis, "redis"
	var s, sentinel, tls []Setting
	s = v.some(s, path, "url", r.URL.address())
	s = v.some(s, path, "urlFile", r.URLFile)
	s = v.some(s, path, "username", r.Username)
	s = v.some(s, path, "password", r.Password.String())
	s = v.some(s, path, "passwordFile", r.PasswordFile)
	s = v.some(s, path, "db", r.DB)
	at := join(path, "sentinel")
	sentinel = v.some(sentinel, at, "name", r.SentinelName)
	sentinel = v.some(sentinel, at, "password", r.SentinelPassword.String())
	sentinel = v.some(sentinel, at, "passwordFile", r.SentinelPasswordFile)
	if len(sentinel) > 0 {
		s = append(s, group(path, "sentinel", sentinel))
	}
	s = v.some(s, path, "cluster", r.Cluster)
	at = join(path, "tls")
	tls = v.some(tls, at, "caFile", r.TLS.CAFile)
	tls = v.some(tls, at, "certFile", r.TLS.CertFile)
	tls = v.some(tls, at, "keyFile", r.TLS.KeyFile)
	tls = v.some(tls, at, "serverName", r.TLS.ServerName)
	tls = v.some(tls, at, "insecure", r.TLS.Insecure)
	if len(tls) > 0 {
		s = append(s, group(path, "tls", tls))
	}
	s = v.some(s, path, "dialTimeout", r.DialTimeout)
	s = v.some(s, path, "readTimeout", r.ReadTimeout)
	s = v.some(s, path, "writeTimeout", r.WriteTimeout)
	return v.some(s, path, "poolSize", r.PoolSize)
}

func (v viewer) queue(q *Queue) []Setting {
	path := join("queues", q.Alias)
	s := []Setting{v.value(path, "name", q.Name), v.value(path, "prefix", q.Prefix)}
	s = v.some(s, path, "role", q.Role)
	s = append(s, v.value(path, "concurrency", q.Concurrency))
	if q.Limiter == nil {
		s = append(s, v.value(path, "limiter", nil))
	} else {
		at := join(path, "limiter")
		s = append(s, group(path, "limiter", []Setting{
			v.value(at, "max", q.Limiter.Max), v.value(at, "duration", showDuration(q.Limiter.Duration)),
		}))
	}
	s = append(s, v.value(path, "attempts", q.Attempts))
	if q.Backoff.Type != "" {
		s = append(s, v.backoff(path, q.Backoff))
	}
	s = append(s,
		v.value(path, "timeout", showDuration(q.Timeout)),
		v.value(path, "lockDuration", showDuration(q.LockDuration)),
		v.value(path, "stalledInterval", showDuration(q.StalledInterval)),
		v.value(path, "maxStalledCount", q.MaxStalledCount),
		v.keep(path, q.Keep))
	at := join(path, "priority")
	s = append(s, group(path, "priority", []Setting{
		v.value(at, "order", string(q.Priority.Order)), v.value(at, "min", q.Priority.Min),
		v.value(at, "max", q.Priority.Max), v.value(at, "default", q.Priority.Default),
	}))
	if q.Schema == "" {
		s = append(s, v.value(path, "schema", nil))
	} else {
		s = append(s, v.value(path, "schema", q.Schema))
	}
	return v.work(s, q, path)
}

func (v viewer) backoff(path string, b Backoff) Setting {
	at := join(path, "backoff")
	return group(path, "backoff", []Setting{
		v.value(at, "type", b.Type), v.value(at, "delay", showDuration(b.Delay)), v.value(at, "jitter", b.Jitter),
	})
}

func (v viewer) keep(path string, k Keep) Setting {
	at := join(path, "keep")
	return group(path, "keep", []Setting{v.retention(at, "completed", k.Completed), v.retention(at, "failed", k.Failed)})
}

func (v viewer) retention(path, key string, r Retention) Setting {
	at := join(path, key)
	return group(path, key, []Setting{v.value(at, "age", showDuration(r.Age)), v.value(at, "count", r.Count)})
}

// work appends the handler and what happens around it.
func (v viewer) work(s []Setting, q *Queue, path string) []Setting {
	if h := q.Handler; h != nil {
		at := join(path, "handler")
		var handler []Setting
		handler = v.some(handler, at, "program", h.Program)
		handler = v.some(handler, at, "stdio", h.Stdio)
		handler = v.http(handler, at, h.HTTP)
		if h.SMTP != nil {
			smtp := []Setting{v.value(join(at, "smtp"), "url", h.SMTP.URL.address())}
			handler = append(handler, group(at, "smtp", v.some(smtp, join(at, "smtp"), "from", h.SMTP.From)))
		}
		s = append(s, group(path, "handler", v.some(handler, at, "env", h.Env)))
	}
	if r := q.Record; r != nil {
		at := join(path, "record")
		record := []Setting{v.value(at, "postgres", r.Postgres.address()), v.value(at, "query", r.Query)}
		record = v.some(record, at, "args", r.Args)
		record = v.some(record, at, "done", r.Done)
		record = v.some(record, at, "onCompleted", r.OnCompleted)
		s = append(s, group(path, "record", v.some(record, at, "onFailed", r.OnFailed)))
	}
	if f := q.OnFailed; f != nil {
		at := join(path, "onFailed")
		var failed []Setting
		failed = v.some(failed, at, "enqueue", f.Enqueue)
		failed = v.some(failed, at, "program", f.Program)
		s = append(s, group(path, "onFailed", v.http(failed, at, f.HTTP)))
	}
	return s
}

func (v viewer) http(s []Setting, path string, h *HTTPHandler) []Setting {
	if h == nil {
		return s
	}
	at := join(path, "http")
	http := []Setting{v.value(at, "url", h.URL.address())}
	http = v.some(http, at, "secret", h.Secret.String())
	return append(s, group(path, "http", v.some(http, at, "timeout", h.Timeout)))
}

// showDuration spells a duration in the largest unit that needs no fraction;
// a day is 24h, as people write it.
func showDuration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if d != 0 && d%unit.size == 0 && (unit.size != day || d != day) {
			return fmt.Sprintf("%d%s", d/unit.size, unit.name)
		}
	}
	if d == 0 {
		return "0s"
	}
	return d.String()
}
