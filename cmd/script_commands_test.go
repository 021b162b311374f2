package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
)

// scriptWorld is what one script acts on besides its files.
type scriptWorld struct {
	rdb    *redis.Client
	conn   *redisconn.Conn
	client *queue.Client
	// now is the clock of seeded jobs; it moves a second with every step.
	now time.Time
}

// seedStart is when the first seeded job was created: long ago, so that its
// times are the same in every run.
var seedStart = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

func newScriptWorld(url string) (*scriptWorld, error) {
	rdb, err := redisAt(url)
	if err != nil {
		return nil, err
	}
	conn, err := redisconn.Open(redisconn.Config{URLs: []redisconn.Secret{redisconn.NewSecret(url)}})
	if err != nil {
		return nil, err
	}
	w := &scriptWorld{rdb: rdb, conn: conn, now: seedStart}
	w.client = queue.NewClient(conn, queue.ClientOptions{Now: func() time.Time { return w.now }})
	return w, nil
}

func (w *scriptWorld) close() {
	_ = w.conn.Close()
	_ = w.rdb.Close()
}

// scriptContext ends long before the test binary's own limit.
func scriptContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// checkExit is `exit CODE PROGRAM ARGS…`: the program must end with that code.
func checkExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// runRedis is `redis [-e] COMMAND ARGS…`: it sends a command and prints the
// reply, a value on each line. With -e the arguments are read like Go strings,
// so that \x1b is an escape character.
func runRedis(ts *testscript.TestScript, neg bool, args []string) {
	var command []any
	escaped := len(args) > 0 && args[0] == "-e"
	if escaped {
		args = args[1:]
	}
	for _, arg := range args {
		if escaped {
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(arg, `"`, `\"`) + `"`)
			ts.Check(err)
			arg = text
		}
		command = append(command, arg)
	}
	ctx, cancel := scriptContext()
	defer cancel()
	reply, err := worldOf(ts).rdb.Do(ctx, command...).Result()
	if errors.Is(err, redis.Nil) {
		reply, err = "(nil)", nil
	}
	if neg != (err != nil) {
		ts.Fatalf("redis %q: %v", args, err)
	}
	if err != nil {
		fmt.Fprintln(ts.Stderr(), err)
		return
	}
	printReply(ts.Stdout(), reply)
}

func printReply(w io.Writer, reply any) {
	if list, ok := reply.([]any); ok {
		for _, value := range list {
			printReply(w, value)
		}
		return
	}
	fmt.Fprintln(w, reply)
}

// runSeed is `seed [-now] QUEUE STATE N [NAME]`: it makes jobs the way a
// producer and a worker would, one second apart, with the ids that come next.
// With -now the first is half a minute old.
func runSeed(ts *testscript.TestScript, neg bool, args []string) {
	world := worldOf(ts)
	if len(args) > 0 && args[0] == "-now" {
		args = args[1:]
		world.now = time.Now().Add(-30 * time.Second)
	}
	if neg || len(args) < 3 {
		ts.Fatalf("usage: seed [-now] QUEUE STATE N [NAME]")
	}
	settings, _, err := config.Load(func(string) (string, bool) { return "", false }, nil)
	ts.Check(err)
	t, err := settings.Resolve(args[0])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	name := "send"
	if len(args) > 3 {
		name = args[3]
	}
	ctx, cancel := scriptContext()
	defer cancel()
	q := world.client.Queue(queue.KeyBase{Prefix: t.Prefix, Name: t.Name})
	for range n {
		ts.Check(world.seed(ctx, q, queue.State(args[1]), name))
	}
}

// seed makes one job of a state.
func (w *scriptWorld) seed(ctx context.Context, q *queue.Queue, state queue.State, name string) error {
	job := queue.NewJob{Name: name, Data: json.RawMessage(`{"n":1}`)}
	switch state {
	case queue.StateWaiting:
	case queue.StatePrioritized:
		job.Opts.Priority = 5
	case queue.StateDelayed:
		job.Opts.Delay = time.Hour
	case queue.StateActive, queue.StateCompleted, queue.StateFailed:
		job.Opts.LIFO = true // or others would be claimed first
	default:
		return fmt.Errorf("seed knows no way into the state %q", state)
	}
	if _, err := q.Add(ctx, job); err != nil {
		return err
	}
	if job.Opts.LIFO {
		if err := w.work(ctx, q, state); err != nil {
			return err
		}
	}
	w.now = w.now.Add(time.Second)
	return nil
}

// work takes the job that is next to a state that only workers bring about.
func (w *scriptWorld) work(ctx context.Context, q *queue.Queue, state queue.State) error {
	const token = "seed"
	claimed, err := q.Claim(ctx, queue.ClaimRequest{N: 1, Token: token, Lock: time.Hour, Worker: "seeder"})
	if err != nil {
		return err
	}
	if len(claimed.Jobs) != 1 {
		return fmt.Errorf("seed claimed %d jobs: is the queue paused?", len(claimed.Jobs))
	}
	if state == queue.StateActive {
		return nil
	}
	outcome := queue.Outcome{
		Kind: queue.Complete, ID: claimed.Jobs[0].ID, Token: token, ReturnValue: json.RawMessage(`{"success":true}`),
	}
	if state == queue.StateFailed {
		outcome = queue.Outcome{
			Kind: queue.Fail, ID: claimed.Jobs[0].ID, Token: token, FailedReason: "connect ECONNREFUSED",
			Stacktrace: []string{"Error: connect ECONNREFUSED\n    at send (mail.js:7:3)"},
		}
	}
	w.now = w.now.Add(time.Second)
	settled, err := q.Settle(ctx, []queue.Outcome{outcome}, queue.SettleOptions{})
	if err != nil {
		return err
	}
	return settled.Errs[0]
}

// compareJSON is `json FILE WANT`: both files, or stdout, hold the same JSON
// documents, one or several. The text "*" in WANT stands for any value.
func compareJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json FILE WANT")
	}
	got, err := documents(ts.ReadFile(args[0]))
	ts.Check(err)
	want, err := documents(ts.ReadFile(args[1]))
	ts.Check(err)
	diff := cmp.Diff(want, wildcards(want, got))
	if neg == (diff == "") {
		ts.Fatalf("%s and %s (-want +got):\n%s", args[0], args[1], diff)
	}
}

// validate is `validate FILE SCHEMA`: the JSON document in the file, or stdout, is
// valid by docs/schema/SCHEMA.json, and has no fields that it does not know.
func validate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: validate FILE SCHEMA")
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "schema", args[1]+".json"))
	ts.Check(err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	ts.Check(err)
	compiler := jsonschema.NewCompiler()
	ts.Check(compiler.AddResource("schema.json", closed(parsed)))
	schema, err := compiler.Compile("schema.json")
	ts.Check(err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	if err := schema.Validate(value); err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
}

// closed returns the schema with every object limited to the properties that it
// names. Published schemas are open: fields may be added.
func closed(schema any) any {
	switch s := schema.(type) {
	case []any:
		for i := range s {
			s[i] = closed(s[i])
		}
	case map[string]any:
		for key := range s {
			s[key] = closed(s[key])
		}
		if _, object := s["required"]; object {
			s["additionalProperties"] = false
		}
	}
	return schema
}

// documents reads JSON texts one after the other, numbers digit by digit.
func documents(text string) ([]any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var values []any
	for {
		var value any
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, fmt.Errorf("%w in %q", err, text)
		}
		values = append(values, value)
	}
}

// wildcards returns got with "*" wherever want has it.
func wildcards(want, got any) any {
	switch want := want.(type) {
	case string:
		if want == "*" {
			return want
		}
	case []any:
		if list, ok := got.([]any); ok && len(list) == len(want) {
			same := make([]any, len(list))
			for i := range list {
				same[i] = wildcards(want[i], list[i])
			}
			return same
		}
	case map[string]any:
		if object, ok := got.(map[string]any); ok {
			same := make(map[string]any, len(object))
			for key, value := range object {
				same[key] = wildcards(want[key], value)
			}
			return same
		}
	}
	return got
}
