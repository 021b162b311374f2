package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// fileLayer puts the values of one file into a Config.
type fileLayer struct {
	config      *Config
	problems    *problems
	dir         string // of the file
	root        *node
	holdsSecret *position
}

// load reads, verifies and applies a file. What breaks a rule is reported and
// left out, so that all of it is found at once.
func (l *fileLayer) load(data []byte) {
	l.root = parseYAML(data, l.problems)
	if l.root == nil {
		return
	}
	whole := fileShape()
	whole.verify(l.root, "", l.problems)
	l.noteSecrets(l.root, &whole)
	if contexts := l.root.get("contexts"); contexts != nil {
		for _, e := range contexts.entries {
			l.config.Contexts = append(l.config.Contexts, e.key)
			l.checkConnection(e.value, join("contexts", e.key))
		}
	}
	l.connection(l.root, "")
	l.checkConnection(l.root, "")
	l.defaults(l.root.get("defaults"))
	l.queues(l.root.get("queues"))
}

func (l *fileLayer) origin(n *node) Origin {
	return Origin{File, fmt.Sprintf("%s:%d:%d", l.problems.file, n.at.line, n.at.column)}
}

// noteSecrets remembers the first password that stands in the file itself.
func (l *fileLayer) noteSecrets(n *node, s *shape) {
	if n.refused || l.holdsSecret != nil {
		return
	}
	switch s.kind {
	case objectKind:
		for _, e := range n.entries {
			if k := s.key(e.key); k != nil {
				l.noteSecrets(e.value, &k.shape)
			}
		}
	case mapKind:
		for _, e := range n.entries {
			l.noteSecrets(e.value, s.of)
		}
	case secretKind, addressKind:
		if NewSecret(n.text).exposes(s.kind == secretKind) {
			l.holdsSecret = &n.at
		}
	}
}

// forget drops the origins of a path and of all below it.
func (l *fileLayer) forget(path string) {
	for other := range l.config.origins {
		if other == path || strings.HasPrefix(other, path+".") {
			delete(l.config.origins, other)
		}
	}
}

// put sets a value if the file has one at key of n and nothing stronger has set
// path.key.
func (l *fileLayer) put(n *node, key, path string, set func(*node)) {
	value := n.get(key)
	if value == nil {
		return
	}
	if l.config.claim(join(path, key), l.origin(value)) {
		set(value)
	}
}

func (l *fileLayer) text(n *node, key, path string, to *string) {
	l.put(n, key, path, func(v *node) { *to = v.text })
}

func (l *fileLayer) file(n *node, key, path string, to *string) {
	l.put(n, key, path, func(v *node) { *to = l.below(v.text) })
}

// below places a relative file name in the folder of the configuration file.
func (l *fileLayer) below(name string) string {
	if filepath.IsAbs(name) || l.dir == "." {
		return name
	}
	return filepath.Join(l.dir, name)
}

func (l *fileLayer) secret(n *node, key, path string, to *Secret) {
	l.put(n, key, path, func(v *node) { *to = NewSecret(v.text) })
}

func (l *fileLayer) integer(n *node, key, path string, to *int) {
	l.put(n, key, path, func(v *node) { *to, _ = strconv.Atoi(v.text) }) // verified before
}

func (l *fileLayer) boolean(n *node, key, path string, to *bool) {
	l.put(n, key, path, func(v *node) { *to = strings.EqualFold(v.text, "true") })
}

func (l *fileLayer) duration(n *node, key, path string, to *time.Duration) {
	l.put(n, key, path, func(v *node) { *to, _ = readDuration(v.text) }) // verified before
}

func (l *fileLayer) texts(n *node, key, path string, to *[]string) {
	l.put(n, key, path, func(v *node) {
		*to = make([]string, len(v.items))
		for i, item := range v.items {
			(*to)[i] = item.text
		}
	})
}

// connection applies the keys that stand both at the top and in a context.
func (l *fileLayer) connection(n *node, path string) {
	c := l.config
	l.boolean(n, "readOnly", path, &c.ReadOnly)
	l.texts(n, "protected", path, &c.Protected)
	from, path := n.get("redis"), join(path, "redis")
	if from == nil {
		return
	}
	to := &c.Redis
	l.secret(from, "url", path, &to.URL)
	l.file(from, "urlFile", path, &to.URLFile)
	l.text(from, "username", path, &to.Username)
	l.secret(from, "password", path, &to.Password)
	l.file(from, "passwordFile", path, &to.PasswordFile)
	l.integer(from, "db", path, &to.DB)
	l.boolean(from, "cluster", path, &to.Cluster)
	l.duration(from, "dialTimeout", path, &to.DialTimeout)
	l.duration(from, "readTimeout", path, &to.ReadTimeout)
	l.duration(from, "writeTimeout", path, &to.WriteTimeout)
	l.integer(from, "poolSize", path, &to.PoolSize)

	sentinel, at := from.get("sentinel"), join(path, "sentinel")
	l.text(sentinel, "name", at, &to.SentinelName)
	l.secret(sentinel, "password", at, &to.SentinelPassword)
	l.file(sentinel, "passwordFile", at, &to.SentinelPasswordFile)

	tls, at := from.get("tls"), join(path, "tls")
	l.file(tls, "caFile", at, &to.TLS.CAFile)
	l.file(tls, "certFile", at, &to.TLS.CertFile)
	l.file(tls, "keyFile", at, &to.TLS.KeyFile)
	l.text(tls, "serverName", at, &to.TLS.ServerName)
	l.boolean(tls, "insecure", at, &to.TLS.Insecure)
}

// checkConnection refuses keys that exclude each other.
func (l *fileLayer) checkConnection(n *node, path string) {
	redis := n.get("redis")
	exclude := func(n *node, path, one, other string) {
		if n.get(one) != nil && n.get(other) != nil {
			l.problems.add(n.get(other).at, join(path, other), "excludes "+one)
		}
	}
	path = join(path, "redis")
	exclude(redis, path, "url", "urlFile")
	exclude(redis, path, "password", "passwordFile")
	exclude(redis.get("sentinel"), join(path, "sentinel"), "password", "passwordFile")
	if cluster := redis.get("cluster"); cluster != nil && strings.EqualFold(cluster.text, "true") {
		exclude(redis, path, "sentinel", "cluster")
	}
}

func (l *fileLayer) defaults(n *node) {
	c := l.config
	l.prefix(n.get("prefix"))
	l.text(n, "output", "", &c.Output)
	l.text(n, "color", "", &c.Color)
	l.duration(n, "timeout", "", &c.Timeout)
}

// prefix sets the prefix of the queues that have none of their own.
func (l *fileLayer) prefix(n *node) {
	if n == nil {
		return
	}
	if err := l.config.SetPrefix(n.text, l.origin(n)); err != nil {
		l.problems.add(n.at, "prefix", err.Error()) // verified before
	}
}
