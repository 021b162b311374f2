// Package interop drives real BullMQ clients, Node 5 and 6, against the same Redis as our engine.
package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	// answerLimit bounds one request. Node needs a second to start on a busy machine, and a request may wait for it.
	answerLimit = 60 * time.Second
	// quitLimit bounds the peer's own goodbye before it is killed.
	quitLimit = 10 * time.Second
)

// args are the fields of a request beside its id and op. See queues.mjs, workers.mjs and board.mjs.
type args map[string]any

// peer is a Node process with BullMQ 5 or 6. Its methods fail the test that started it rather than return errors
// and so belong on the test's own goroutine; try is the exception.
type peer struct {
	major int
	pid   int
	url   string // of the Redis

	t      testing.TB
	cmd    *exec.Cmd
	stderr lockedBuffer
	gone   chan struct{} // closed once the process has been reaped

	// Writing has a lock of its own: a write may block until the peer reads, and the peer may block until its
	// lines are taken, which needs mu.
	writing sync.Mutex
	stdin   io.WriteCloser

	mu      sync.Mutex // guards what follows
	nextID  int
	pending map[int]chan answer
	unread  []notice
	news    chan struct{} // closed and replaced at every notice
}

// startPeer runs Node BullMQ of the major version against the Redis at the URL and ends it with the test. Without
// Node or its packages the test is skipped, or fails if CI=true.
func startPeer(t testing.TB, major int, redisURL string) *peer {
	t.Helper()
	node := requireNode(t)
	p := &peer{
		major:   major,
		url:     redisURL,
		t:       t,
		cmd:     exec.Command(node, "peer.mjs", "--bullmq", strconv.Itoa(major), "--redis", redisURL),
		gone:    make(chan struct{}),
		pending: map[int]chan answer{},
		news:    make(chan struct{}),
	}
	p.cmd.Stderr = &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = p.cmd.Process.Pid
	go p.read(stdout)
	t.Cleanup(p.end)
	p.waitFor("the peer to be ready", answerLimit, func(n notice) bool { return n.Event == "ready" })
	return p
}

// requireNode returns the path of node.
func requireNode(t testing.TB) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("node_modules/bullmq6/package.json")
	}
	if err == nil {
		return node
	}
	const remedy = "install Node 20 and run `npm ci` in test/interop"
	if os.Getenv("CI") == "true" {
		t.Fatalf("no Node BullMQ: %v; %s", err, remedy)
	}
	t.Skipf("SKIPPED, NOTHING WAS TESTED AGAINST NODE BULLMQ: %v; %s", err, remedy)
	return ""
}

// call sends a request, waits for its answer and decodes that into out, unless out is nil.
func (p *peer) call(op string, with args, out any) {
	p.t.Helper()
	if err := p.try(op, with, out); err != nil {
		p.t.Fatalf("bullmq %d: %s %v: %v", p.major, op, with, err)
	}
}

// try is call for a request that may fail: what BullMQ threw comes back as *failure. It may be used from any
// goroutine.
func (p *peer) try(op string, with args, out any) error {
	id, answered, err := p.send(op, with)
	if err != nil {
		return err
	}
	defer p.forget(id)
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	select {
	case got := <-answered:
		return got.decode(out)
	case <-p.gone:
		// The answer may have been the last thing the process wrote.
		select {
		case got := <-answered:
			return got.decode(out)
		default:
			return fmt.Errorf("the peer has ended; it wrote: %s", p.stderr.String())
		}
	case <-limit.C:
		return fmt.Errorf("no answer within %s; the peer wrote: %s", answerLimit, p.stderr.String())
	}
}

func (p *peer) send(op string, with args) (int, <-chan answer, error) {
	id, answered := p.expect()
	request := maps.Clone(with)
	if request == nil {
		request = args{}
	}
	request["id"], request["op"] = id, op
	line, err := json.Marshal(request)
	if err == nil {
		err = p.write(line)
	}
	if err != nil {
		p.forget(id)
		return 0, nil, fmt.Errorf("send %s: %w; the peer wrote: %s", op, err, p.stderr.String())
	}
	return id, answered, nil
}

func (p *peer) write(line []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	_, err := p.stdin.Write(append(line, '\n'))
	return err
}

// expect returns a new request id and where its answer will arrive.
func (p *peer) expect() (int, <-chan answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextID++
	answered := make(chan answer, 1)
	p.pending[p.nextID] = answered
	return p.nextID, answered
}

func (p *peer) forget(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, id)
}

// waitFor returns the oldest notice that matches and was not returned before, waiting for it if need be. Notices
// that do not match stay for later calls.
func (p *peer) waitFor(what string, limit time.Duration, match func(notice) bool) notice {
	p.t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		found, news := p.takeNotice(match)
		if found != nil {
			return *found
		}
		select {
		case <-news:
		case <-p.gone:
			// Its last words may have come after the look above.
			if found, _ := p.takeNotice(match); found != nil {
				return *found
			}
			p.t.Fatalf("bullmq %d: ended while waiting for %s; %s", p.major, what, p.report())
		case <-timer.C:
			p.t.Fatalf("bullmq %d: waited %s for %s; %s", p.major, limit, what, p.report())
		}
	}
}

// takeNotice removes and returns the oldest unread notice that matches, or nil and a channel closed at the next one.
func (p *peer) takeNotice(match func(notice) bool) (*notice, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.unread, match)
	if at < 0 {
		return nil, p.news
	}
	found := p.unread[at]
	p.unread = slices.Delete(p.unread, at, at+1)
	return &found, nil
}

// waitForJob is waitFor a worker's notice ("started", "completed", "failed") about one job.
func (p *peer) waitForJob(event, jobID string, limit time.Duration) notice {
	p.t.Helper()
	return p.waitFor(event+" of job "+jobID, limit, func(n notice) bool {
		return n.Event == event && n.JobID == jobID
	})
}

// waitForEvent is waitFor an event of that type about one job in a followed stream.
func (p *peer) waitForEvent(eventType, jobID string, limit time.Duration) notice {
	p.t.Helper()
	return p.waitFor("stream event "+eventType+" of job "+jobID, limit, func(n notice) bool {
		return n.Event == "queueEvent" && n.Type == eventType && n.JobID == jobID
	})
}

// notices returns what no waitFor has taken, oldest first, and leaves it there.
func (p *peer) notices() []notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.unread)
}

// forgetNotices drops what no waitFor has taken.
func (p *peer) forgetNotices() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unread = nil
}

// report describes what the peer has said, for a test about to fail.
func (p *peer) report() string {
	unread, err := json.Marshal(p.notices())
	if err != nil {
		unread = []byte(err.Error())
	}
	return fmt.Sprintf("unread notices: %s; it wrote: %s", unread, p.stderr.String())
}

// kill ends the process as a crash would: locks stay, jobs stay active. It returns when the process is gone.
func (p *peer) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("kill peer %d: %v", p.pid, err)
	}
	<-p.gone
}

// end lets the process close its connections, which the end of stdin asks for, and kills it if it does not.
func (p *peer) end() {
	_ = p.stdin.Close() // fails only if the process is gone already
	select {
	case <-p.gone:
	case <-time.After(quitLimit):
		p.kill()
	}
	if p.t.Failed() {
		p.t.Logf("bullmq %d wrote: %s", p.major, p.stderr.String())
	}
}

// read sorts the peer's lines into answers and notices until the process ends, and reaps it.
func (p *peer) read(stdout io.Reader) {
	defer close(p.gone)
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			p.take(line)
		}
		if err != nil {
			_ = p.cmd.Wait() // a killed peer is no news
			return
		}
	}
}

// take handles one line: an answer goes to who asked, anything else is a notice. A refusal of a line without an id
// becomes the notice "refused", a line that is no JSON the notice "unreadable".
func (p *peer) take(line []byte) {
	var got struct {
		ID *int `json:"id"`
		answer
	}
	var told notice
	if err := errors.Join(json.Unmarshal(line, &got), json.Unmarshal(line, &told)); err != nil {
		told = notice{Event: "unreadable", Message: fmt.Sprintf("%v: %s", err, line)}
	} else if told.Event == "" {
		told = notice{Event: "refused", Message: got.Message}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if told.Event == "refused" && got.ID != nil {
		if answered, ok := p.pending[*got.ID]; ok {
			answered <- got.answer
		}
		return
	}
	p.unread = append(p.unread, told)
	close(p.news)
	p.news = make(chan struct{})
}

// lockedBuffer keeps a process's stderr while tests may read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
