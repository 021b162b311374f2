package queue

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by SHA-1
	"embed"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts
var scriptFiles embed.FS

// script is one of our Lua scripts with its includes in front, loaded when it
// is first run.
type script struct {
	name     string
	readOnly bool

	once   sync.Once
	source string
	sha    string
}

// Every script that the engine runs. A name is a file under scripts.
var (
	scriptAdd            = &script{name: "add"}
	scriptClaim          = &script{name: "claim"}
	scriptSettle         = &script{name: "settle"}
	scriptExtendLocks    = &script{name: "extend_locks"}
	scriptStalledRecover = &script{name: "stalled_recover"}
	scriptStalledMark    = &script{name: "stalled_mark"}
	scriptWake           = &script{name: "wake"}
	scriptScheduleNext   = &script{name: "schedule_next"}
)

// load reads the script and its includes. The files are part of the binary: a
// missing one is a bug that every test meets.
func (s *script) load() {
	s.once.Do(func() {
		var b strings.Builder
		appendScript(&b, path.Join("scripts", s.name+".lua"), map[string]bool{})
		s.source = b.String()
		sum := sha1.Sum([]byte(s.source)) //nolint:gosec // see the import
		s.sha = hex.EncodeToString(sum[:])
	})
}

// appendScript writes a file after the files it includes, each only once, and
// without comments: Redis keeps the whole text.
func appendScript(b *strings.Builder, file string, done map[string]bool) {
	if done[file] {
		return
	}
	done[file] = true
	text, err := scriptFiles.ReadFile(file)
	if err != nil {
		panic(fmt.Sprintf("script %s: %v", file, err))
	}
	lines := strings.Split(string(text), "\n")
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line, "-- @include "); ok {
			appendScript(b, path.Join("scripts/includes", name+".lua"), done)
		}
	}
	for _, line := range lines {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "--") {
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
}

// run executes the script once. A server that does not know it yet is sent the
// source: NOSCRIPT proves that nothing ran, and is the only reply after which
// a call is made again. Any other failure is returned for the caller to decide;
// [Classify] tells which ones leave the outcome unknown.
func (s *script) run(ctx context.Context, c *Client, rdb redis.UniversalClient, base KeyBase, args ...any) (any, error) {
	if !s.readOnly && c.readOnly {
		return nil, ErrReadOnly
	}
	if c.cluster && base.hashTag() == "" {
		return nil, fmt.Errorf("%w: %s; in Redis Cluster write it as %s:{%s}", ErrHashTag, base, base.Prefix, base.Name)
	}
	s.load()
	keys := []string{base.base()}
	reply, err := rdb.EvalSha(ctx, s.sha, keys, args...).Result()
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = rdb.Eval(ctx, s.source, keys, args...).Result()
	}
	if err != nil && err != redis.Nil { //nolint:errorlint // the client returns it bare
		return nil, wrapRedis(fmt.Sprintf("%s %s", s.name, base), err)
	}
	return reply, nil
}

// wrapRedis adds what was attempted, and the cause that callers match.
func wrapRedis(what string, err error) error {
	if Classify(err) == ClassCorrupt {
		return fmt.Errorf("%s: %w: %w", what, ErrCorrupt, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
