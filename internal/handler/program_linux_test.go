package handler_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Nothing but its own four descriptors may reach a program, however many
// pipes of other jobs and lifelines are open. What this process was itself
// given by its parent does not count.
func TestProgramInheritsNoOtherDescriptors(t *testing.T) {
	t.Parallel()
	given := []string{"0", "1", "2", "3"}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			given = append(given, e.Name())
		}
	}
	p := shell(t, `exec ls /proc/self/fd`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				var list string
				if err := json.Unmarshal([]byte(handle(t, p, testJob("1")).Value), &list); err != nil {
					t.Error(err)
				}
				others := slices.DeleteFunc(strings.Fields(list), func(fd string) bool { return slices.Contains(given, fd) })
				if len(others) != 1 { // the directory that ls reads
					t.Errorf("descriptors %q, given %q", strings.Fields(list), given)
				}
			}
		})
	}
	wg.Wait()
}

// With the lifeline gone as well the kernel still ends the program itself.
func TestKilledWorkerAndLifeline(t *testing.T) {
	t.Parallel()
	cmd, r := startWorker(t, `note; exec sleep 60`, 1)
	for pid, pgid := range noted(t, r.dir) {
		// Stopped first, so that neither can act on the other's end.
		for _, target := range []int{cmd.Process.Pid, pgid} {
			if err := unix.Kill(target, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		for _, target := range []int{pgid, cmd.Process.Pid} {
			if err := unix.Kill(target, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, time.Second, "program ends", func() bool { return !alive(t, pid) })
	}
}
