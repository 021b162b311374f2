package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/redistest"
)

// TestTopologies runs the first commands of the README on one server, through
// Sentinel, and on a cluster.
func TestTopologies(t *testing.T) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		firstCommands(t, []string{"REDIS_URL=" + redistest.Start(t).URL()}, "bull:email-queue")
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartSentinel(t)
		firstCommands(t, []string{"REDIS_URL=" + strings.Join(s.URLs, ","), "REDIS_SENTINEL_NAME=" + s.MasterName}, "bull:email-queue")
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t)
		firstCommands(t, []string{"REDIS_URL=" + strings.Join(c.URLs, ","), "REDIS_CLUSTER_MODE=true"}, "bull:{email-queue}")
		familyInOneSlot(t, []string{"REDIS_URL=" + strings.Join(c.URLs, ","), "REDIS_CLUSTER_MODE=true"})
	})
}

// familyInOneSlot: a parent in another slot, and a flow over two, are refused
// with exit code 2, and nothing of them is added.
func familyInOneSlot(t *testing.T, env []string) {
	t.Helper()
	must(t, env, "enqueue", "{a}:parents", "n=1", "--create", "--id", "parent", "--delay", "1h")
	flow := filepath.Join(t.TempDir(), "flow.json")
	text := `{"queue":"{a}:parents","opts":{"jobId":"root"},"children":[{"queue":"{a}:more"},{"queue":"{b}:children"}]}`
	if err := os.WriteFile(flow, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"enqueue", "{b}:children", "n=1", "--create", "--id", "child", "--parent", "{a}:parents:parent"},
		{"enqueue", "--flow", flow, "--create"},
		{"enqueue", "--flow", flow, "--create", "--dry-run"},
	} {
		_, stderr, code := qctl(t, env, args...)
		if code != 2 || !strings.Contains(stderr, "different slots") {
			t.Errorf("qctl %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
		}
	}
	for _, job := range [][]string{{"{b}:children", "child"}, {"{a}:parents", "root"}} {
		if _, stderr, code := qctl(t, env, "show", job[0], job[1]); code != 3 {
			t.Errorf("job %s of %s: exit %d\n%s", job[1], job[0], code, stderr)
		}
	}
	must(t, env, "enqueue", "{a}:children", "n=1", "--create", "--id", "child", "--parent", "{a}:parents:parent")
	if tree := must(t, env, "show", "{a}:parents", "parent", "--tree"); !strings.Contains(tree, "children child") {
		t.Errorf("tree:\n%s", tree)
	}
}

func firstCommands(t *testing.T, env []string, base string) {
	t.Helper()
	id := strings.TrimSpace(must(t, env, "enqueue", "email", "queueId=email-uuid", "userId=user-123", "--priority", "urgent"))
	later := strings.TrimSpace(must(t, env, "enqueue", "email", "queueId=x", "--at", "2030-12-25T09:00:00Z"))
	program := writeProgram(t, `cat > /dev/null; echo '{"success":true,"messageId":"m-1"}'`+"\n")
	must(t, env, "worker", "--queue", "email", "--drain", "--", program)

	var stats []struct {
		KeyBase            string
		Completed, Delayed int
	}
	if err := json.Unmarshal([]byte(must(t, env, "stats", "email", "-o", "json")), &stats); err != nil {
		t.Fatal(err)
	}
	if len(stats) != 1 || stats[0].KeyBase != base || stats[0].Completed != 1 || stats[0].Delayed != 1 {
		t.Errorf("stats: %+v", stats)
	}
	job := show(t, env, id)
	if job.State != "completed" || job.Priority != 1 || string(job.ReturnValue) != `{"success":true,"messageId":"m-1"}` {
		t.Errorf("job %s: %+v", id, job)
	}
	if job = show(t, env, later); job.State != "delayed" || job.Timestamp+job.Delay != 1924419600000 {
		t.Errorf("job %s: %+v", later, job)
	}

	must(t, env, "enqueue", "orchestration", "--attempts", "1",
		"--data", `{"projectId":"p1","triggeredBy":"manual","jobType":"batch"}`)
	must(t, env, "worker", "--queue", "orchestration", "--drain", "--handler", "fail=1", "--log-level", "error")
	if failed := must(t, env, "failed", "orchestration"); !strings.Contains(failed, "failed on purpose") {
		t.Errorf("failed: %s", failed)
	}
	if retried := must(t, env, "retry", "--all-failed", "orchestration"); !strings.HasPrefix(retried, "retried 1 of 1 failed") {
		t.Errorf("retry: %s", retried)
	}
	must(t, env, "clean", "email", "--state", "completed", "--older-than", "24h", "--yes")
	if queues := must(t, env, "queues"); !strings.Contains(queues, base) {
		t.Errorf("queues: %s", queues)
	}
}

type shownJob struct {
	State       string
	Priority    int
	Timestamp   int64
	Delay       int64
	ReturnValue json.RawMessage
}

func show(t *testing.T, env []string, id string) shownJob {
	t.Helper()
	text := must(t, env, "show", "email", id, "-o", "json")
	var job shownJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	compact, err := json.Marshal(job.ReturnValue)
	if err != nil {
		t.Fatal(err)
	}
	job.ReturnValue = compact
	return job
}
