package config

import (
	"fmt"
	"strconv"
	"strings"
)

// queues applies the queues of the file: it changes built-in ones, adds others
// behind them in the order of the file, and takes away those that are null.
func (l *fileLayer) queues(n *node) {
	if n == nil {
		return
	}
	for _, e := range n.entries {
		if e.value.refused {
			continue
		}
		path := join("queues", e.key)
		at := Origin{File, fmt.Sprintf("%s:%d:%d", l.problems.file, e.at.line, e.at.column)}
		if e.value.kind == nullNode {
			l.remove(e)
			continue
		}
		l.config.origins[path] = at
		i := l.config.index(e.key)
		if i < 0 {
			q := plainQueue(l.config.Prefix, e.key)
			q.Alias = e.key
			l.config.Queues = append(l.config.Queues, q)
			l.config.follows[e.key] = true
			i = len(l.config.Queues) - 1
		}
		l.queue(&l.config.Queues[i], e.value, path)
	}
	l.distinct(n)
}

// remove takes a built-in queue away.
func (l *fileLayer) remove(e entry) {
	i := l.config.index(e.key)
	if i < 0 {
		var aliases []string
		for _, q := range l.config.Queues {
			aliases = append(aliases, q.Alias)
		}
		rule := "null takes away a built-in queue, and there is none of this name"
		if near := Suggest(e.key, aliases); near != "" {
			rule += ", did you mean " + near + "?"
		}
		l.problems.add(e.at, join("queues", e.key), rule)
		return
	}
	l.config.Queues = append(l.config.Queues[:i], l.config.Queues[i+1:]...)
	l.config.claim(join("queues", e.key), l.origin(e.value))
	delete(l.config.follows, e.key)
}

// distinct refuses two aliases for one queue: which policy holds would depend on
// the alias that was typed.
func (l *fileLayer) distinct(n *node) {
	bases := map[string]string{}
	for _, q := range l.config.Queues {
		base := q.Prefix + ":" + q.Name
		other, taken := bases[base]
		if !taken {
			bases[base] = q.Alias
			continue
		}
		for _, e := range n.entries {
			if e.key == q.Alias || e.key == other && n.get(q.Alias) == nil {
				l.problems.add(e.at, join("queues", e.key), fmt.Sprintf("lies at %s, as alias %s and alias %s do: give one another name or prefix", quote(base), quote(other), quote(q.Alias)))
			}
		}
	}
}

// queue applies one queue.
func (l *fileLayer) queue(q *Queue, n *node, path string) {
	l.text(n, "name", path, &q.Name)
	l.put(n, "prefix", path, func(v *node) {
		q.Prefix = v.text
		l.config.follows[q.Alias] = false
	})
	l.text(n, "role", path, &q.Role)
	l.integer(n, "concurrency", path, &q.Concurrency)
	l.limiter(q, n, path)
	l.integer(n, "attempts", path, &q.Attempts)

	l.backoff(n.get("backoff"), join(path, "backoff"), &q.Backoff)
	l.duration(n, "timeout", path, &q.Timeout)
	l.duration(n, "lockDuration", path, &q.LockDuration)
	l.duration(n, "stalledInterval", path, &q.StalledInterval)
	l.integer(n, "maxStalledCount", path, &q.MaxStalledCount)
	l.keep(n.get("keep"), join(path, "keep"), &q.Keep)
	l.priority(q, n.get("priority"), join(path, "priority"))
	l.put(n, "schema", path, func(v *node) {
		q.Schema = v.text
		if v.kind == nullNode {
			q.Schema = ""
		} else if isSchemaFile(v.text) {
			q.Schema = l.below(v.text)
		}
	})
	l.work(q, n, path)
}

// backoff applies the delay between attempts.
func (l *fileLayer) backoff(n *node, path string, to *Backoff) {
	l.text(n, "type", path, &to.Type)
	l.duration(n, "delay", path, &to.Delay)
	l.put(n, "jitter", path, func(v *node) { to.Jitter, _ = strconv.ParseFloat(v.text, 64) }) // verified before
	if n != nil && to.Type == "" && n.get("type") == nil {
		l.problems.add(n.at, path, "the key type is missing: want exponential or fixed")
	}
}

// keep applies how long finished jobs stay.
func (l *fileLayer) keep(n *node, path string, to *Keep) {
	for key, to := range map[string]*Retention{"completed": &to.Completed, "failed": &to.Failed} {
		l.duration(n.get(key), "age", join(path, key), &to.Age)
		l.integer(n.get(key), "count", join(path, key), &to.Count)
	}
}

// isSchemaFile tells the name of a file, which has a dot or a slash, from that
// of a built-in schema.
func isSchemaFile(schema string) bool {
	return !strings.HasPrefix(schema, builtinPrefix) && strings.ContainsAny(schema, `./\`)
}

func (l *fileLayer) limiter(q *Queue, n *node, path string) {
	limiter, at := n.get("limiter"), join(path, "limiter")
	switch {
	case limiter == nil:
		return
	case limiter.kind == nullNode:
		q.Limiter = nil
		l.config.claim(at, l.origin(limiter))
		return
	}
	missing := q.Limiter == nil
	if missing {
		q.Limiter = &Limiter{}
	}
	for _, key := range []string{"max", "duration"} {
		if missing && !limiter.has(key) {
			l.problems.add(limiter.at, at, "the key "+key+" is missing")
		}
	}
	l.integer(limiter, "max", at, &q.Limiter.Max)
	l.duration(limiter, "duration", at, &q.Limiter.Duration)
}

// has reports whether n has the key, whatever its value.
func (n *node) has(key string) bool {
	for _, e := range n.entries {
		if e.key == key {
			return true
		}
	}
	return false
}

func (l *fileLayer) priority(q *Queue, n *node, path string) {
	if n == nil {
		return
	}
	scale := q.Priority
	l.put(n, "order", path, func(v *node) { scale.Order = Order(v.text) })
	l.integer(n, "min", path, &scale.Min)
	l.integer(n, "max", path, &scale.Max)
	l.integer(n, "default", path, &scale.Default)
	if err := scale.Check(); err != nil {
		for _, e := range n.entries {
			if e.value.refused {
				return // the scale may be right once the value is
			}
		}
		l.problems.add(n.at, path, err.Error())
		return
	}
	q.Priority = scale
}

// work applies what runs the jobs of a queue and what happens around it.
func (l *fileLayer) work(q *Queue, n *node, path string) {
	l.put(n, "handler", path, func(v *node) {
		h := &Handler{}
		at := join(path, "handler")
		l.program(v, "program", at, &h.Program)
		l.program(v, "stdio", at, &h.Stdio)
		l.texts(v, "env", at, &h.Env)
		h.HTTP = l.http(v.get("http"), join(at, "http"))
		if smtp := v.get("smtp"); smtp != nil {
			h.SMTP = &SMTPHandler{}
			l.secret(smtp, "url", join(at, "smtp"), &h.SMTP.URL)
			l.text(smtp, "from", join(at, "smtp"), &h.SMTP.From)
		}
		if env := v.get("env"); env != nil && h.Program == nil && h.Stdio == nil {
			l.problems.add(env.at, join(at, "env"), "only a program has an environment")
		}
		if h.Program != nil || h.Stdio != nil || h.HTTP != nil || h.SMTP != nil {
			q.Handler = h
		}
	})
	l.put(n, "record", path, func(v *node) {
		at := join(path, "record")
		q.Record = &Record{}
		l.secret(v, "postgres", at, &q.Record.Postgres)
		l.text(v, "query", at, &q.Record.Query)
		l.texts(v, "args", at, &q.Record.Args)
		l.text(v, "done", at, &q.Record.Done)
		l.text(v, "onCompleted", at, &q.Record.OnCompleted)
		l.text(v, "onFailed", at, &q.Record.OnFailed)
	})
	l.put(n, "onFailed", path, func(v *node) {
		at := join(path, "onFailed")
		q.OnFailed = &OnFailed{HTTP: l.http(v.get("http"), join(at, "http"))}
		l.text(v, "enqueue", at, &q.OnFailed.Enqueue)
		l.program(v, "program", at, &q.OnFailed.Program)
	})
}

// program reads a program and its arguments. One that is given with a slash is
// looked for from the file's folder, and one without in PATH.
func (l *fileLayer) program(n *node, key, path string, to *[]string) {
	l.texts(n, key, path, to)
	if len(*to) > 0 && strings.Contains((*to)[0], "/") {
		(*to)[0] = l.below((*to)[0])
	}
}

func (l *fileLayer) http(n *node, path string) *HTTPHandler {
	if n == nil {
		return nil
	}
	h := &HTTPHandler{}
	l.secret(n, "url", path, &h.URL)
	l.secret(n, "secret", path, &h.Secret)
	l.duration(n, "timeout", path, &h.Timeout)
	return h
}
