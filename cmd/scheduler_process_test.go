//go:build !windows

package cmd_test

import (
	"strings"
	"syscall"
	"testing"
)

// A scheduler takes up a new configuration by SIGHUP, keeps the old one when it is
// wrong, takes over from one that ends, and resigns by SIGTERM.
func TestSchedulerSignals(t *testing.T) {
	t.Parallel()
	first, url := newProcess(t, "schedules: [{queue: dev, id: a, every: 1h}]\n")
	first.run(url, "scheduler", "--every", "1h", "--lock", "2s")
	has := func(id string) func() bool {
		return func() bool { return first.rdb.ZScore(t.Context(), "queue:dev:repeat", id).Err() == nil }
	}
	first.eventually("what is declared", has("a"))

	first.configure("schedules: [{queue: dev, id: a, every: 1h}, {queue: dev, id: b, every: 1h}]\n")
	first.hangUp(`msg="configuration reloaded" schedules=2`)
	first.eventually("what is declared now", has("b"))

	first.configure("schedules: [{queue: email, id: a, every: 1h}]\n")
	first.hangUp("configuration not reloaded, the old one holds")
	first.configure("schedules: [{queue: dev, id: c, every: 1h}]\nreadOnly: true\n")
	first.hangUp("restart=readOnly")
	first.eventually("what is declared now", has("c"))
	if !has("b")() {
		t.Error("a schedule that is declared no more was removed")
	}

	second := &workerProcess{t: t, dir: t.TempDir(), rdb: first.rdb}
	second.configure("schedules: [{queue: dev, id: d, every: 1h}]\n")
	second.run(url, "scheduler", "--lock", "2s")
	second.eventually("the other to stand by", func() bool { return strings.Contains(second.logged(), "standing by") })
	for _, w := range []*workerProcess{first, second} {
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("%v; log:\n%s", err, w.logged())
		}
		if !strings.Contains(w.logged(), "msg=resigned") {
			t.Errorf("it has not resigned; log:\n%s", w.logged())
		}
		if w == first {
			second.eventually("the other to take over", has("d"))
		}
	}
	if n := first.rdb.Exists(t.Context(), "qctl:{scheduler}:leader").Val(); n != 0 {
		t.Error("somebody leads still")
	}
}
