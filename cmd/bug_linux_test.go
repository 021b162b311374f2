package cmd

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/ptytest"
)

// B38: a panic of the dashboard is code 70 with the place and a hint, after the
// terminal was given back with its settings.
func TestB38PanicOfTop(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", plain(1))
	person, program := ptytest.Open(t)
	before := ptytest.Settings(t, program)
	seen := &atomic.Bool{}
	restored := make(chan struct{})
	go func() {
		var all []byte
		part := make([]byte, 4096)
		for {
			n, err := person.Read(part)
			all = append(all, part[:n]...)
			if bytes.Contains(all, []byte("email")) {
				seen.Store(true)
			}
			if at := bytes.Index(all, []byte("\x1b[?1049l")); at >= 0 && bytes.Contains(all[at:], []byte("\x1b[?25h")) {
				close(restored)
				return
			}
			if err != nil {
				return
			}
		}
	}()
	streams := iostreams.TestTerminal(program)
	errOut := &bytes.Buffer{}
	streams.Err = errOut
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := &app{
		args: []string{"top"}, streams: streams, local: time.UTC, hard: ctx, environ: os.Environ,
		lookupEnv: func(name string) (string, bool) { text, ok := env[name]; return text, ok },
		now: func() time.Time {
			if seen.Load() {
				panic("for the test")
			}
			return time.Now()
		},
	}
	defer a.close()
	root := newRootCommand(a)
	root.SetArgs(a.args)
	code := a.report(root.ExecuteContext(ctx))
	if text := errOut.String(); code != exitBug || !strings.HasPrefix(text, "qctl: bug: for the test\n") ||
		!strings.Contains(text, "bug_linux_test.go") || !strings.HasSuffix(text, "\nhint: please report it, with the lines above\n") {
		t.Errorf("exit %d: %s", code, text)
	}
	if after := ptytest.Settings(t, program); after != before {
		t.Errorf("the settings were %+v and are %+v", before, after)
	}
	select {
	case <-restored:
	case <-time.After(30 * time.Second):
		t.Error("the screen is not given back")
	}
}
