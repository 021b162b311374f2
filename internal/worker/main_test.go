package worker_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// TestMain ends the shared redis-server after the last test and looks for
// goroutines that were left behind.
func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // what it has to say also reaches the worker's log
	code := m.Run()
	realRedis.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
