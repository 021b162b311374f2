package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// scale measures the commands of a built qctl on a private Redis with very many
// failed jobs, and on an embedded store.
type scale struct {
	ctx  context.Context
	rdb  *redis.Client
	out  io.Writer
	qctl string
	url  string
	dir  string // for the embedded store and the bulk file
	jobs int
}

// timed is one command of the table.
type timed struct {
	args   []string
	shown  string // instead of the arguments
	runs   int
	url    string             // instead of the filled Redis; "-" is the embedded store
	before func(*scale) error // each run
	bound  string
}

// measured is what one run took.
type measured struct {
	wall, cpu, server time.Duration
	peak              float64 // MB
	longest           time.Duration
}

// bulkJobs is how many jobs the bulk file has.
const bulkJobs = 500_000

func (s *scale) run() error {
	if err := s.fill(); err != nil {
		return err
	}
	file := filepath.Join(s.dir, "bulk.ndjson")
	if err := writeBulk(file); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d failed jobs; medians, and the best run in brackets; CPU and longest call of the best run\n\n", s.jobs)
	fmt.Fprintln(s.out, "| command | runs | ms (best) | CPU of qctl, ms | CPU of Redis, ms | peak MB | longest call, ms | bound |")
	fmt.Fprintln(s.out, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range []timed{
		{args: []string{"version"}, runs: 20},
		{args: []string{"failed", "big", "--by", "cause"}, runs: 5, bound: "6 s, 64 MB"},
		{args: []string{"jobs", "big", "--limit", "50"}, runs: 20, bound: "200 ms"},
		{args: []string{"failed", "big", "--limit", "50"}, runs: 20, bound: "200 ms"},
		{args: []string{"stats", "big"}, runs: 20},
		{args: []string{"stats"}, runs: 5},
		{args: []string{"__complete", "show", "big", ""}, shown: "completion of job ids", runs: 20, bound: "300 ms"},
		{args: []string{"__complete", "jobs", ""}, shown: "completion of queues", runs: 20, bound: "300 ms"},
		{args: []string{"__complete", "jobs", ""}, shown: "the same, Redis down", runs: 20, url: "redis://127.0.0.1:1", bound: "300 ms"},
		{
			args: []string{"enqueue", "bulk", "--create", "--bulk", file}, shown: fmt.Sprintf("enqueue --bulk of %d", bulkJobs),
			runs: 5, before: (*scale).dropBulk, bound: fmt.Sprintf("%d ms, flat", bulkJobs/100),
		},
		{args: []string{"stats"}, shown: "stats, embedded store to be started", runs: 20, url: "-", before: (*scale).stopStore, bound: "300 ms"},
		{args: []string{"stats"}, shown: "stats, embedded store running", runs: 20, url: "-", bound: "50 ms"},
	} {
		if err := s.measure(r); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(r.args, " "), err)
		}
	}
	return s.stopStore()
}

// measure runs a command several times and prints its line.
func (s *scale) measure(r timed) error {
	all := make([]measured, r.runs)
	for i := range all {
		if r.before != nil {
			if err := r.before(s); err != nil {
				return err
			}
		}
		var err error
		if all[i], err = s.once(r); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b measured) int { return int(a.wall - b.wall) })
	best, median := all[0], all[len(all)/2]
	memory := 0.0
	for _, m := range all {
		memory = max(memory, m.peak)
	}
	shown := r.shown
	if shown == "" {
		shown = "`" + strings.Join(r.args, " ") + "`"
	}
	_, err := fmt.Fprintf(s.out, "| %s | %d | %d (%d) | %d | %d | %.0f | %.1f | %s |\n", shown, r.runs,
		median.wall.Milliseconds(), best.wall.Milliseconds(), best.cpu.Milliseconds(), best.server.Milliseconds(),
		memory, float64(best.longest.Microseconds())/1000, r.bound)
	return err
}

// once runs a command; its answer goes nowhere.
func (s *scale) once(r timed) (measured, error) {
	if err := s.rdb.Do(s.ctx, "SLOWLOG", "RESET").Err(); err != nil {
		return measured{}, err
	}
	before, err := s.serverCPU()
	if err != nil {
		return measured{}, err
	}
	cmd := s.command(r.url, r.args...)
	started := time.Now()
	err = cmd.Run()
	m := measured{wall: time.Since(started)}
	if err != nil {
		return m, err
	}
	m.cpu, m.peak = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), peak(cmd.ProcessState)
	after, err := s.serverCPU()
	if err != nil {
		return m, err
	}
	m.server = after - before
	if r.url != "" {
		return m, nil
	}
	slow, err := s.rdb.SlowLogGet(s.ctx, -1).Result()
	for _, call := range slow {
		m.longest = max(m.longest, call.Duration)
	}
	return m, err
}

// command prepares qctl in a home of its own.
func (s *scale) command(url string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, s.qctl, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"HOME=" + s.dir, "XDG_STATE_HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir, "PATH=" + os.Getenv("PATH")}
	switch url {
	case "":
		cmd.Env = append(cmd.Env, "REDIS_URL="+s.url)
	case "-":
	default:
		cmd.Env = append(cmd.Env, "REDIS_URL="+url)
	}
	return cmd
}

func (s *scale) stopStore() error { return s.command("-", "embedded", "stop").Run() }

// dropBulk removes the jobs of the run before.
func (s *scale) dropBulk() error {
	there, err := s.rdb.Exists(s.ctx, "bull:bulk:meta").Result()
	if err != nil || there == 0 {
		return err
	}
	return s.command("", "obliterate", "bulk", "--yes", "--force").Run()
}

// serverCPU returns how long the server has worked.
func (s *scale) serverCPU() (time.Duration, error) {
	text, err := s.rdb.Info(s.ctx, "cpu").Result()
	var total time.Duration
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(seconds * float64(time.Second))
		}
	}
	return total, err
}

// fillScript writes failed jobs as BullMQ leaves them, with reasons that differ
// from job to job, from one number to another.
const fillScript = `
local reasons = { 'connect ECONNREFUSED 10.0.%d.%d:443', 'user %d not found in %d', 'timeout of %dms exceeded for job %d',
  'HTTP 503 from api %d after %d ms', 'invalid email address', 'TypeError: cannot read property of undefined (%d:%d)' }
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local at, reason = 1732000000000 + i, string.format(reasons[i % 6 + 1], i % 251, i)
  redis.call('HSET', KEYS[1] .. i, 'name', 'digest' .. i % 3, 'data', '{"to":"someone@example.com","n":' .. i .. '}',
    'opts', '{"attempts":3}', 'timestamp', at - 1000, 'delay', 0, 'priority', 0, 'processedOn', at - 5, 'finishedOn', at,
    'failedReason', reason, 'atm', 3, 'ats', 3, 'stacktrace', '["Error: ' .. reason .. '\\n    at x (file.js:1:2)"]')
  redis.call('ZADD', KEYS[1] .. 'failed', at, tostring(i))
end`

// fill makes the queue big of a Redis that has nothing else.
func (s *scale) fill() error {
	const part = 10_000
	key := "bull:big:"
	if err := s.rdb.FlushDB(s.ctx).Err(); err != nil {
		return err
	}
	if err := s.rdb.HSet(s.ctx, key+"meta", "opts.maxLenEvents", 10000, "version", "bullmq:5.81.5").Err(); err != nil {
		return err
	}
	for from := 0; from < s.jobs; from += part {
		if err := s.rdb.Eval(s.ctx, fillScript, []string{key}, from, min(from+part, s.jobs)-1).Err(); err != nil && err != redis.Nil { //nolint:errorlint // the client returns it bare
			return err
		}
	}
	for name, value := range map[string]string{"slowlog-log-slower-than": "1000", "slowlog-max-len": "100000"} {
		if err := s.rdb.ConfigSet(s.ctx, name, value).Err(); err != nil {
			return err
		}
	}
	return nil
}

// writeBulk writes a file for enqueue --bulk.
func writeBulk(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range bulkJobs {
		fmt.Fprintf(w, "{\"data\":{\"to\":\"someone@example.com\",\"n\":%d}}\n", i)
	}
	if err := w.Flush(); err != nil {
		_ = f.Close() // the other error says more
		return err
	}
	return f.Close()
}
