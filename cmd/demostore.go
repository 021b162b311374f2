package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
)

// Times of the demo's store.
const (
	// demoIdle is how long it outlives a demo that was killed.
	demoIdle = 15 * time.Second
	demoStop = 10 * time.Second
)

// errDemoStore means that somebody has ended the demo's store.
var errDemoStore = errors.New("the demo's store has gone")

// openDemoStore starts an embedded store in a folder of its own and connects to
// it. remove ends the store and deletes its folder; it may always be called.
func (a *app) openDemoStore(ctx context.Context) (remove func() error, err error) {
	dir, err := os.MkdirTemp("", "qctl-demo-")
	if err != nil {
		return func() error { return nil }, fmt.Errorf("%w: %w", embedded.ErrStart, err)
	}
	remove = func() error {
		a.close()
		// Also when ctx has ended: nothing may be left running.
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStop)
		defer cancel()
		err := embedded.Stop(stopping, dir)
		if errors.Is(err, embedded.ErrNotRunning) {
			err = nil
		}
		return errors.Join(err, os.RemoveAll(dir))
	}
	self, err := os.Executable()
	if err != nil {
		return remove, fmt.Errorf("%w: %w", embedded.ErrStart, err)
	}
	info, err := embedded.Open(ctx, embedded.Options{
		Dir: dir, SelfPath: self, Version: currentBuild().Version, IdleAfter: demoIdle, Temporary: true,
		Warn: func(text string) { a.warn("%s", text) },
	})
	if err != nil {
		return remove, err
	}
	conn, err := redisconn.Open(redisconn.Config{
		URLs: []redisconn.Secret{redisconn.NewSecret("redis://" + info.Addr)}, Password: redisconn.NewSecret(info.Password),
	})
	if err != nil {
		return remove, err
	}
	a.conn = conn
	a.client = queue.NewClient(conn, queue.ClientOptions{Now: a.now})
	return remove, nil
}
