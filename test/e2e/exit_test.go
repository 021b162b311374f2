package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/qctl/qctl/internal/redistest"
)

// swallower is a Redis that answers what a client asks to begin with, and
// nothing any more after that.
func swallower(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go swallow(client)
		}
	}()
	return listener.Addr().String()
}

func swallow(client net.Conn) {
	defer client.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		text := strings.ToLower(string(buffer[:n]))
		switch {
		case strings.Contains(text, "eval"), strings.Contains(text, "script"):
			return // taken, and the connection goes
		case strings.Contains(text, "hello"):
			_, _ = io.WriteString(client, "-ERR unknown command 'hello'\r\n")
		default:
			_, _ = io.WriteString(client, strings.Repeat("+OK\r\n", strings.Count(text, "*")))
		}
	}
}

// TestEveryExitCode reaches each code of the table through the binary, as a
// line for people and as JSON. Code 70, a bug, is reached in the tests of the
// command line, where a stream can panic.
func TestEveryExitCode(t *testing.T) {
	t.Parallel()
	own := redistest.Start(t)
	rdb := own.Client()
	for _, key := range []string{"bull:email-queue:meta", "bull:dev-null:meta"} {
		rdb.HSet(t.Context(), key, "version", "bullmq:5")
	}
	rdb.HSet(t.Context(), "bull:email-queue:1", "name", "n", "data", "{}", "opts", "{}", "timestamp", "1")
	rdb.LPush(t.Context(), "bull:email-queue:active", "1")
	rdb.Set(t.Context(), "bull:broken:wait", "text", 0)
	rdb.HSet(t.Context(), "bull:broken:meta", "version", "x")
	rdb.HSet(t.Context(), "bull:email-queue:2", "name", "n", "data", "{}", "opts", "{}", "timestamp", "1")
	rdb.ZAdd(t.Context(), "bull:email-queue:failed")
	rdb.Do(t.Context(), "ZADD", "bull:email-queue:failed", "1", "2")
	full := redistest.Start(t, "--maxmemory", "1")
	up := []string{"REDIS_URL=" + own.URL()}
	down := []string{"REDIS_URL=redis://127.0.0.1:" + strconv.Itoa(redistest.FreePort(t))}
	for _, c := range []struct {
		name string
		code int
		env  []string
		args string
	}{
		{"DONE", 0, up, "stats email"},
		{"NEGATIVE", 1, up, "remove email 2 none-such"},
		{"USAGE", 2, up, "jobs email --state nonsense"},
		{"NOT_FOUND", 3, up, "show email none-such"},
		{"STATE", 4, up, "obliterate email --yes"},
		{"DENIED", 5, up, "pause email --read-only"},
		{"UNREACHABLE", 6, down, "stats"},
		{"REFUSED", 7, []string{"REDIS_URL=" + full.URL()}, "enqueue email queueId=1"},
		{"CORRUPT", 8, up, "jobs bull:broken --state waiting"},
		{"UNKNOWN", 9, []string{"REDIS_URL=redis://" + swallower(t)}, "enqueue email queueId=1"},
		{"UNCONFIRMED", 10, up, "drain email"},
	} {
		if c.code == 10 { // something to be asked about
			rdb.LPush(t.Context(), "bull:email-queue:wait", "3")
			rdb.HSet(t.Context(), "bull:email-queue:3", "name", "n", "data", "{}", "opts", "{}")
		}
		stdout, stderr, code := qctl(t, c.env, append(strings.Fields(c.args), "-o", "json")...)
		if code != c.code {
			t.Errorf("qctl %s -o json: exit %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
			continue
		}
		if code == 0 {
			if stderr != "" || !json.Valid([]byte(stdout)) {
				t.Errorf("qctl %s: %s%s", c.args, stdout, stderr)
			}
			continue
		}
		checkError(t, c.args, stdout, stderr, c.name, c.code)
		if c.code == 1 {
			continue // done by now
		}
		stdout, stderr, code = qctl(t, c.env, strings.Fields(c.args)...)
		if code != c.code || !strings.HasPrefix(stderr, "qctl: ") || stdout != "" {
			t.Errorf("qctl %s: exit %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
		}
	}
}

// checkError holds the JSON of an error to its shape.
func checkError(t *testing.T, args, stdout, stderr, name string, code int) {
	t.Helper()
	if stdout != "" && !json.Valid([]byte(stdout)) {
		t.Errorf("qctl %s: half a document: %s", args, stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	var document struct {
		Error struct {
			Code, Message string
			Exit          int
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &document); err != nil {
		t.Errorf("qctl %s: %v in %s", args, err, stderr)
		return
	}
	if e := document.Error; e.Code != name || e.Exit != code || e.Message == "" {
		t.Errorf("qctl %s: %+v, want %s and %d", args, e, name, code)
	}
}

// A signal ends a command that goes on with a code of its own, and the counts.
func TestExitCodesOfSignals(t *testing.T) {
	t.Parallel()
	env := []string{"REDIS_URL=" + redistest.Start(t).URL()}
	for signal, want := range map[syscall.Signal]struct {
		name string
		code int
	}{syscall.SIGINT: {"INTERRUPTED", 130}, syscall.SIGTERM: {"TERMINATED", 143}} {
		cmd := command(env, "stats", "email", "--watch", "--interval", "100ms", "-o", "ndjson")
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it watches
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want.code {
			t.Errorf("%s: exit %d, want %d: %s%s", signal, code, want.code, rest, errOut.String())
		}
		checkError(t, "stats --watch", "", errOut.String(), want.name, want.code)
	}
}
