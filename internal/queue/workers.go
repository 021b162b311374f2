package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrUnsupported says that the Redis server does not offer this, or not to this
// user.
var ErrUnsupported = errors.New("not supported by the server")

// workerMark stands between a queue's client name and the worker's own.
const workerMark = ":w:"

// WorkerName is the connection name by which BullMQ and Workers know a worker
// of the queue (wire section 10); the worker's own name may be empty. Redis
// takes printable ASCII only: other bytes of name become _, and with other bytes
// in the prefix no worker can show itself, and the result is empty.
func WorkerName(base KeyBase, name string) string {
	head := workerHead(base)
	if sanitizeClientName(head) != head {
		return ""
	}
	if name == "" {
		return head
	}
	return head + workerMark + sanitizeClientName(name)
}

func workerHead(base KeyBase) string {
	return base.Prefix + ":" + base64.StdEncoding.EncodeToString([]byte(base.Name))
}

func sanitizeClientName(name string) string {
	clean := []byte(name)
	for i, b := range clean {
		if b < '!' || b > '~' {
			clean[i] = '_'
		}
	}
	return string(clean)
}

// WorkerConn is a connected worker, as Redis sees it.
type WorkerConn struct {
	// Name is the worker's own name, mostly empty.
	Name string
	Addr string
	// Age is how long it is connected, Idle since when it has sent nothing; a
	// worker that waits for jobs is idle for some seconds.
	Age  time.Duration
	Idle time.Duration
}

// Workers lists the workers of queues, of BullMQ and of qctl. It returns
// ErrUnsupported when the server does not list its clients: the number of
// workers is then unknown, not zero. In Redis Cluster a worker may be connected
// to several servers; as BullMQ does, it takes the one that has the most.
func (c *Client) Workers(ctx context.Context, bases []KeyBase) (map[KeyBase][]WorkerConn, error) {
	heads := make(map[string]KeyBase, len(bases))
	for _, base := range bases {
		heads[workerHead(base)] = base
	}
	workers := make(map[KeyBase][]WorkerConn, len(bases))
	var mu sync.Mutex
	err := c.onEachPrimary(ctx, func(ctx context.Context, rdb redis.Cmdable) error {
		list, err := rdb.ClientList(ctx).Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for base, conns := range parseClients(list, heads) {
			if len(conns) > len(workers[base]) {
				workers[base] = conns
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrapClientList(err)
	}
	return workers, nil
}

// wrapClientList tells a refusal from a server that cannot be reached.
func wrapClientList(err error) error {
	var reply redis.Error
	if class := Classify(err); errors.As(err, &reply) && (class == ClassOther || class == ClassDenied) {
		return fmt.Errorf("list clients: %w: %w", ErrUnsupported, err)
	}
	return wrapRedis("list clients", err)
}

// CountWorkers tells how many workers of the queue are connected. See Workers.
func (q *Queue) CountWorkers(ctx context.Context) (int, error) {
	workers, err := q.client.Workers(ctx, []KeyBase{q.base})
	return len(workers[q.base]), err
}

// parseClients reads a reply of CLIENT LIST: a line per client, of blanks
// between field=value. Client names hold no blanks.
func parseClients(list string, heads map[string]KeyBase) map[KeyBase][]WorkerConn {
	workers := map[KeyBase][]WorkerConn{}
	for line := range strings.Lines(list) {
		var conn WorkerConn
		name := ""
		for _, field := range strings.Fields(line) {
			key, value, _ := strings.Cut(field, "=")
			switch key {
			case "name":
				name = value
			case "addr":
				conn.Addr = value
			case "age":
				conn.Age = clientSeconds(value)
			case "idle":
				conn.Idle = clientSeconds(value)
			}
		}
		if base, own, ok := matchWorker(name, heads); ok {
			conn.Name = own
			workers[base] = append(workers[base], conn)
		}
	}
	return workers
}

// matchWorker finds the queue whose worker has this connection name. The mark
// may also be a part of the prefix or of the worker's own name.
func matchWorker(name string, heads map[string]KeyBase) (base KeyBase, own string, ok bool) {
	if base, ok := heads[name]; ok {
		return base, "", true
	}
	for at := 0; ; {
		i := strings.Index(name[at:], workerMark)
		if i < 0 {
			return KeyBase{}, "", false
		}
		at += i
		if base, ok := heads[name[:at]]; ok {
			return base, name[at+len(workerMark):], true
		}
		at++
	}
}

func clientSeconds(text string) time.Duration {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
