package cmd

import (
	"context"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/iostreams"
)

// call is one command line, run in this process.
type call struct {
	args  []string
	env   map[string]string
	stdin string
	// terminal makes all three streams terminals.
	terminal bool
	width    int
	color    bool
	// looked hears which variables are looked up.
	looked func(name string)
	// change is made to the streams after that.
	change func(*iostreams.Streams)
}

// answer is what came of it.
type answer struct {
	code     int
	out, err string
}

// run does what Main does, in a world of the test's own.
func (c call) run(t testing.TB) (got answer) {
	t.Helper()
	streams, in, out, errOut := iostreams.Test()
	in.WriteString(c.stdin)
	if c.terminal {
		streams.SetTerminals(iostreams.Terminals{In: true, Out: true, Err: true})
		streams.SetWidth(c.width)
		streams.SetColor(c.color)
	}
	if c.change != nil {
		c.change(streams)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	a := &app{
		args: c.args, streams: streams, now: time.Now, local: time.UTC, hard: ctx,
		lookupEnv: func(name string) (string, bool) {
			if c.looked != nil {
				c.looked(name)
			}
			text, ok := c.env[name]
			return text, ok
		},
		environ: func() (all []string) {
			for name, text := range c.env {
				all = append(all, name+"="+text)
			}
			return all
		},
	}
	defer func() {
		a.close()
		*a = app{} // cobra keeps the flags of every tree for ever, and they point here
	}()
	defer func() {
		if p := recover(); p != nil {
			got.code = a.report(&bugError{value: p, stack: debug.Stack()})
		}
		got.out, got.err = out.String(), errOut.String()
	}()
	root := newRootCommand(a)
	root.SetArgs(c.args)
	err := root.ExecuteContext(ctx)
	got.code = a.report(err)
	return got
}

// memoryRedis is a Redis in this process, with a client to prepare it.
func memoryRedis(t testing.TB) (*miniredis.Miniredis, *redis.Client, map[string]string) {
	t.Helper()
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { _ = rdb.Close() })
	return server, rdb, map[string]string{"REDIS_URL": "redis://" + server.Addr(), "HOME": t.TempDir()}
}

// words is a command line written as one text.
func words(line string) []string { return strings.Fields(line) }

// lineCount counts lines, the last of which may lack its end.
func lineCount(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

// withoutPaint takes away the codes that qctl colours with, and no others.
func withoutPaint(text string) string {
	for _, code := range []string{"\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m", "\x1b[92m", "\x1b[91m", "\x1b[93m"} {
		text = strings.ReplaceAll(text, code, "")
	}
	return text
}
