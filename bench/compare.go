package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// result is the JSON line that every peer prints.
type result struct {
	PerSecond float64 `json:"perSecond"`
}

// row is one line of the comparison.
type row struct {
	title string
	mode  string
	peer  string // bullmq6, bullmq5 or asynq
	goal  float64
}

var rows = []row{
	{"add in bulk", "add", "bullmq6", 5},
	{"add in bulk, prioritized", "add-prioritized", "bullmq6", 4},
	{"add one by one, 100 in flight", "add-single", "bullmq6", 2},
	{"add one by one, 100 in flight", "add-single", "asynq", 1},
	{"process, concurrency 100", "process", "bullmq6", 2.5},
	{"process, prioritized", "process-prioritized", "bullmq6", 2.3},
	{"fail, kept for a week", "fail", "bullmq6", 4},
	{"fail, newest 1000 kept", "fail-newest", "bullmq6", 4},
	{"process, concurrency 100", "process", "bullmq5", 2.5},
}

// compare runs us and each peer in turn on the same Redis and writes a table
// in Markdown. Both sides of a round run within seconds of each other, and the
// ratio is the median over the rounds: a busy machine slows both.
func compare(ctx context.Context, out io.Writer, url string, jobs, rounds int, asynq string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| what | peer | peer jobs/s | qctl jobs/s | ratio | aim |")
	fmt.Fprintln(out, "|---|---|--:|--:|--:|--:|")
	for _, r := range rows {
		if r.peer == "asynq" && asynq == "" {
			continue
		}
		var theirs, ours, ratios []float64
		for range rounds {
			t, err := measureWith(ctx, peerCommand(r, url, jobs, asynq))
			if err != nil {
				return err
			}
			o, err := measureWith(ctx, []string{self, "-redis", url, "-mode", r.mode, "-jobs", strconv.Itoa(jobs * 2)})
			if err != nil {
				return err
			}
			theirs, ours, ratios = append(theirs, t), append(ours, o), append(ratios, o/t)
		}
		fmt.Fprintf(out, "| %s | %s | %.0f | %.0f | %.1fx | %gx |\n", r.title, r.peer, median(theirs), median(ours), median(ratios), r.goal)
	}
	return costs(ctx, out, self, url, jobs)
}

func peerCommand(r row, url string, jobs int, asynq string) []string {
	if r.peer == "asynq" {
		return []string{asynq, "--redis", url, "--jobs", strconv.Itoa(jobs)}
	}
	major := strings.TrimPrefix(r.peer, "bullmq")
	return []string{"node", "bench/bullmq.mjs", "--bullmq", major, "--redis", url, "--mode", r.mode, "--jobs", strconv.Itoa(jobs)}
}

func measureWith(ctx context.Context, command []string) (float64, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var r result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return r.PerSecond, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// costs writes what our scripts cost Redis per job: its own processor time, and
// the commands that the scripts call.
func costs(ctx context.Context, out io.Writer, self, url string, jobs int) error {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	rdb := redis.NewClient(opts)
	defer func() { _ = rdb.Close() }()
	fmt.Fprintln(out, "\n| what | Redis µs per job | commands per job |\n|---|--:|--:|")
	previous := [2]float64{}
	for _, mode := range []string{"add", "add-prioritized", "process"} {
		before, err := load(ctx, rdb)
		if err != nil {
			return err
		}
		if _, err := measureWith(ctx, []string{self, "-redis", url, "-mode", mode, "-jobs", strconv.Itoa(jobs)}); err != nil {
			return err
		}
		after, err := load(ctx, rdb)
		if err != nil {
			return err
		}
		perJob := [2]float64{(after[0] - before[0]) * 1e6 / float64(jobs), (after[1] - before[1]) / float64(jobs)}
		if mode == "add" {
			previous = perJob
		}
		if mode == "process" { // it adds its jobs first
			perJob[0], perJob[1] = perJob[0]-previous[0], perJob[1]-previous[1]
		}
		fmt.Fprintf(out, "| %s | %.1f | %.1f |\n", mode, perJob[0], perJob[1])
	}
	return nil
}

// load returns Redis' processor time (s) and the number of commands it ran,
// those that scripts call included.
func load(ctx context.Context, rdb *redis.Client) (total [2]float64, err error) {
	info, err := rdb.Info(ctx, "cpu", "commandstats").Result()
	if err != nil {
		return total, err
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "used_cpu_user" || name == "used_cpu_sys":
			seconds, _ := strconv.ParseFloat(value, 64)
			total[0] += seconds
		case strings.HasPrefix(name, "cmdstat_"):
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, _ := strconv.ParseFloat(calls, 64)
			total[1] += n
		}
	}
	return total, nil
}
