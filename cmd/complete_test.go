package cmd

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/iostreams"
)

// complete asks for completions as a shell does.
func complete(t *testing.T, env map[string]string, args ...string) (out, errOut string) {
	t.Helper()
	streams, _, stdout, stderr := iostreams.Test()
	a := &app{
		streams:   streams,
		lookupEnv: func(name string) (string, bool) { value, set := env[name]; return value, set },
		environ:   func() []string { return nil },
		now:       time.Now,
		local:     time.UTC,
		hard:      t.Context(),
	}
	defer a.close()
	root := newRootCommand(a)
	root.SetArgs(append([]string{"__complete"}, args...))
	if code := a.report(root.ExecuteContext(t.Context())); code != exitDone {
		t.Errorf("qctl __complete %q ended with %d", args, code)
	}
	return stdout.String(), stderr.String()
}

// silent starts a server that takes connections and never answers, and returns
// its address and a channel that gets an element for each connection.
func silent(t *testing.T) (addr string, taken <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections := make(chan struct{}, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			connections <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String(), connections
}

// TestCompletionOfASilentRedis has a Redis that hangs: a shell would hang with
// it. What needs no Redis is offered, and nothing is said. A completion that
// waited for an answer would never return.
func TestCompletionOfASilentRedis(t *testing.T) {
	t.Parallel()
	addr, taken := silent(t)
	tests := map[string]struct {
		args []string
		want string
	}{
		"queues":   {[]string{"stats", "em"}, "email\n:4\n"},
		"ids":      {[]string{"show", "email", ""}, ":36\n"},
		"causes":   {[]string{"retry", "email", "--cause", ""}, ":36\n"},
		"prefixes": {[]string{"--prefix", ""}, "bull\nqueue\n:4\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"REDIS_URL": "redis://" + addr}
			out, errOut := complete(t, env, test.args...)
			if diff := cmp.Diff(test.want, out); diff != "" {
				t.Errorf("completions (-want +got):\n%s", diff)
			}
			// The library's own line, which the scripts of all shells throw away.
			if !strings.HasPrefix(errOut, "Completion ended with directive: ") || strings.Count(errOut, "\n") != 1 {
				t.Errorf("standard error is %q", errOut)
			}
			<-taken // it did ask
		})
	}
}

// TestCompletionIsBounded holds the time that names may take to what a shell can
// wait for.
func TestCompletionIsBounded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": completionBudget, "nonsense": completionBudget, "0s": completionBudget, "1s": time.Second} {
		a := &app{lookupEnv: func(string) (string, bool) { return text, text != "" }}
		if got := a.completionTime(); got != want {
			t.Errorf("QCTL_COMPLETION_TIMEOUT=%q: waits %v, want %v", text, got, want)
		}
	}
	if completionBudget >= 300*time.Millisecond {
		t.Errorf("completion may take %v; start and end of the program must fit into 300ms, too", completionBudget)
	}
}

// TestBashMends notices when cobra's script changes.
func TestBashMends(t *testing.T) {
	t.Parallel()
	var script strings.Builder
	if err := writeBash(NewRootForDocs(), &script); err != nil {
		t.Fatal(err)
	}
	for _, mend := range bashMends {
		if !strings.Contains(script.String(), mend.mended) {
			t.Errorf("the script for bash lacks %q", mend.mended)
		}
	}
}
