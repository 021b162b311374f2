package cmd_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/qctl/qctl/cmd"
	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/redistest"
)

// realRedis serves the scripts whose name begins with redis_; each has a
// database of its own. They share the list of clients, so scripts that start
// workers keep to queues of their own.
var realRedis redistest.Shared

// databases counts those that are taken; a redis-server has 16.
var databases atomic.Int64

// TestMain makes the test binary answer to the name qctl, and ends the shared
// redis-server after the last test.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"qctl": func() { os.Exit(cmd.Main(os.Args[1:], iostreams.System())) },
	})
}

type suite struct{ *testing.M }

// Run runs all tests.
func (s suite) Run() int {
	defer realRedis.Close()
	return s.M.Run()
}

// TestScript runs testdata/script over one miniredis for each script.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scriptParams(scripts(t, false), func(env *testscript.Env) (string, error) {
		server := miniredis.NewMiniRedis()
		if err := server.Start(); err != nil {
			return "", err
		}
		env.Defer(server.Close)
		return "redis://" + server.Addr() + "/0", nil
	}))
}

// TestScriptOnRedis runs the scripts that need what miniredis lacks.
func TestScriptOnRedis(t *testing.T) {
	t.Parallel()
	addr := realRedis.Addr(t)
	testscript.Run(t, scriptParams(scripts(t, true), func(*testscript.Env) (string, error) {
		return "redis://" + addr + "/" + strconv.FormatInt(databases.Add(1), 10), nil
	}))
}

// scripts lists those for a redis-server, or the others.
func scripts(t *testing.T, onRedis bool) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool {
		return strings.HasPrefix(filepath.Base(name), "redis_") != onRedis
	})
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	return files
}

var update = flag.Bool("update", false, "rewrite the files that scripts compare output with")

// scriptParams gives every script a Redis and the commands of scriptWorld.
func scriptParams(files []string, serve func(*testscript.Env) (url string, err error)) testscript.Params {
	return testscript.Params{
		Files:              files,
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Setup: func(env *testscript.Env) error {
			url, err := serve(env)
			if err != nil {
				return err
			}
			world, err := newScriptWorld(url)
			if err != nil {
				return err
			}
			env.Defer(world.close)
			env.Values[worldKey{}] = world
			env.Setenv("REDIS_URL", url)
			// The race detector would have every command sleep a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			env.Setenv("REDIS_HOST", strings.TrimPrefix(url, "redis://"))
			env.Setenv("TZ", "UTC")
			// However busy the machine is.
			env.Setenv("QCTL_COMPLETION_TIMEOUT", "30s")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit":     checkExit,
			"redis":    runRedis,
			"seed":     runSeed,
			"json":     compareJSON,
			"validate": validate,
		},
	}
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *scriptWorld { return ts.Value(worldKey{}).(*scriptWorld) }

// redisAt returns a client for preparing and looking at keys.
func redisAt(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.Protocol, options.MaxRetries, options.DisableIdentity = 2, -1, true
	return redis.NewClient(options), nil
}
