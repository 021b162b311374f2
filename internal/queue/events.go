package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Event is one entry of a queue's event stream.
type Event struct {
	// ID is the entry's place in the stream of its queue, by which following
	// can go on after it.
	ID    string
	Queue KeyBase
	// Type is BullMQ's name, such as completed, or any other that a producer
	// of events chose.
	Type  string
	JobID string // empty for events of the queue
	// Fields are all others, such as prev or returnvalue, as they are stored.
	Fields map[string]string
	Time   time.Time // by the clock of Redis
	// Gap says that the stream was trimmed, or deleted, further than had been
	// read: events before this one are lost.
	Gap bool
}

// Places in an event stream.
const (
	// FromNow is behind the newest event.
	FromNow = "$"
	// FromStart is before the oldest event that is kept.
	FromStart = "0"
)

// FollowRequest says where to begin, and how to wait.
type FollowRequest struct {
	// From is FromNow, FromStart, or the id of the last event that is known
	// already; empty means FromNow.
	From string
	// After holds, for single queues, what to use instead of From: the last
	// ids seen before a connection was lost.
	After map[KeyBase]string
	// Block is the longest single wait; 0 means 5 seconds. New events end a
	// wait at once. A stream that was deleted and begun anew under a clock set
	// back shows only after a wait.
	Block time.Duration
}

const defaultBlock = 5 * time.Second

// Most events that are read from one queue at a time, and of how many queues
// together. Events carry return values: more would cost memory.
const (
	eventPage       = 100
	eventQueuesPage = 16
)

// Follow calls visit for every event of the queue, in order, until ctx ends,
// visit returns an error, which is returned as it is, or Redis cannot be read.
// Entries that are no events are left out. It uses a connection of its own.
func (q *Queue) Follow(ctx context.Context, r FollowRequest, visit func(Event) error) error {
	return q.client.FollowMany(ctx, []KeyBase{q.base}, r, visit)
}

// FollowMany follows several queues on one connection; the order of events is
// that of each queue. In Redis Cluster, where one read cannot wait for keys in
// different slots, several queues are looked at twice a second.
func (c *Client) FollowMany(ctx context.Context, bases []KeyBase, r FollowRequest, visit func(Event) error) error {
	if len(bases) == 0 {
		return nil
	}
	block := r.Block
	if block <= 0 {
		block = defaultBlock
	}
	rdb := c.conn.Dedicated("")
	defer func() { _ = rdb.Close() }()
	// A blocked read ends with its connection, not with its context.
	stop := context.AfterFunc(ctx, func() { _ = rdb.Close() })
	defer stop()

	f := &follower{rdb: rdb, visit: visit, block: block, poll: c.cluster && !sameSlot(bases)}
	err := f.open(ctx, bases, r)
	f.all = time.Now()
	due := f.streams
	for err == nil {
		if err = f.read(ctx, due); err == nil {
			due, err = f.wait(ctx)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// sameSlot reports whether a Cluster keeps these queues together.
func sameSlot(bases []KeyBase) bool {
	for _, base := range bases {
		if len(bases) > 1 && (base.hashTag() == "" || base.hashTag() != bases[0].hashTag()) {
			return false
		}
	}
	return true
}

// follower reads event streams on behalf of one call.
type follower struct {
	rdb     redis.UniversalClient
	streams []*stream
	visit   func(Event) error
	block   time.Duration
	poll    bool
	// all is when all streams were last read: one that was begun anew with
	// lower ids never ends a wait.
	all time.Time
}

// stream is one queue's event stream and how far it has been read.
type stream struct {
	base KeyBase
	key  string
	last streamID // of the last entry seen; zero before the first
	gap  bool     // the next event comes after lost ones
}

// open finds the place of each stream to begin at.
func (f *follower) open(ctx context.Context, bases []KeyBase, r FollowRequest) error {
	for _, base := range bases {
		from, ok := r.After[base]
		if !ok {
			from = r.From
		}
		s := &stream{base: base, key: base.key(keyEvents)}
		var err error
		if from == "" || from == FromNow {
			s.last, err = newestID(ctx, f.rdb, s.key)
		} else {
			s.last, err = parseStreamID(from)
		}
		if err != nil {
			return s.wrap(err)
		}
		f.streams = append(f.streams, s)
	}
	return nil
}

// newestID returns zero for a stream without entries.
func newestID(ctx context.Context, rdb redis.Cmdable, key string) (streamID, error) {
	newest, err := rdb.XRevRangeN(ctx, key, "+", "-", 1).Result()
	if err != nil || len(newest) == 0 {
		return streamID{}, err
	}
	return parseStreamID(newest[0].ID)
}

// read visits what the streams hold behind the last event of each.
func (f *follower) read(ctx context.Context, due []*stream) error {
	for len(due) > 0 {
		page := due[:min(eventQueuesPage, len(due))]
		due = due[len(page):]
		for len(page) > 0 {
			var err error
			if page, err = f.readPage(ctx, page); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPage returns the streams that hold more. Reading begins with the last
// entry seen: where that still stands, nothing was trimmed before its turn.
func (f *follower) readPage(ctx context.Context, page []*stream) (more []*stream, err error) {
	pipe := f.rdb.Pipeline()
	replies := make([]*redis.XMessageSliceCmd, len(page))
	for i, s := range page {
		replies[i] = pipe.XRangeN(ctx, s.key, s.last.String(), "+", eventPage+1)
	}
	_, _ = pipe.Exec(ctx) // every command holds its own error
	for i, s := range page {
		entries, err := replies[i].Result()
		if err != nil {
			return nil, s.wrap(err)
		}
		full := len(entries) == eventPage+1
		switch {
		case len(entries) > 0 && entries[0].ID == s.last.String():
			entries = entries[1:]
		case s.last != streamID{}:
			if err := s.lookForGap(ctx, f.rdb); err != nil {
				return nil, s.wrap(err)
			}
		}
		if err := f.deliver(s, entries); err != nil {
			return nil, err
		}
		if full {
			more = append(more, s)
		}
	}
	return more, nil
}

// lookForGap is for a stream that no longer holds the last entry seen, or never
// did. One that was begun anew, with lower ids, is read from its start next time.
func (s *stream) lookForGap(ctx context.Context, rdb redis.Cmdable) error {
	newest, err := newestID(ctx, rdb, s.key)
	if err != nil || newest == (streamID{}) {
		return err
	}
	if newest.less(s.last) {
		s.last, s.gap = streamID{}, true
		return nil
	}
	oldest, err := rdb.XRangeN(ctx, s.key, "-", "+", 1).Result()
	if err != nil || len(oldest) == 0 {
		return err
	}
	first, err := parseStreamID(oldest[0].ID)
	if s.last.less(first) {
		s.gap = true
	}
	return err
}

func (f *follower) deliver(s *stream, entries []redis.XMessage) error {
	for _, entry := range entries {
		id, err := parseStreamID(entry.ID)
		if err != nil {
			return s.wrap(err)
		}
		s.last = id
		event, ok := decodeEvent(s.base, id, entry)
		if !ok {
			continue
		}
		event.Gap, s.gap = s.gap, false
		if err := f.visit(event); err != nil {
			return err
		}
	}
	return nil
}

// wait blocks until there is something new, and returns the streams to read.
func (f *follower) wait(ctx context.Context) ([]*stream, error) {
	if f.poll {
		return f.streams, sleep(ctx, min(pollInterval, f.block))
	}
	args := make([]string, 0, 2*len(f.streams))
	for _, s := range f.streams {
		args = append(args, s.key)
	}
	for _, s := range f.streams {
		args = append(args, s.last.String())
	}
	bounded, cancel := context.WithTimeout(ctx, f.block+blockSlack)
	defer cancel()
	woken, err := f.rdb.XRead(bounded, &redis.XReadArgs{Streams: args, Count: 1, Block: f.block}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, wrapRedis("follow events", err)
	}
	if now := time.Now(); now.Sub(f.all) >= f.block {
		f.all = now
		return f.streams, nil
	}
	keys := make(map[string]bool, len(woken))
	for _, w := range woken {
		keys[w.Stream] = true
	}
	var due []*stream
	for _, s := range f.streams {
		if keys[s.key] {
			due = append(due, s)
		}
	}
	return due, nil
}

// pollInterval is how often streams that cannot be waited for are read.
const pollInterval = 500 * time.Millisecond

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (s *stream) wrap(err error) error { return wrapRedis("events of "+s.base.String(), err) }

// ReadEvents returns the events among count entries that the queue's stream
// still holds, from one id to another, both included unless an id has a
// parenthesis in front of it; "-" is the oldest and "+" the newest. Last is the
// id of the last entry read, event or not; empty when there are no more.
func (q *Queue) ReadEvents(ctx context.Context, from, to string, count int64) (events []Event, last string, err error) {
	return q.decodeEvents(q.client.rdb.XRangeN(ctx, q.base.key(keyEvents), from, to, count).Result())
}

// ReadEventsBack is [Queue.ReadEvents] with the newest first: from is the newer
// end.
func (q *Queue) ReadEventsBack(ctx context.Context, from, to string, count int64) (events []Event, last string, err error) {
	return q.decodeEvents(q.client.rdb.XRevRangeN(ctx, q.base.key(keyEvents), from, to, count).Result())
}

// NewestEvent returns the id of the newest entry of the queue's stream, behind
// which everything is new; FromStart when there is none.
func (q *Queue) NewestEvent(ctx context.Context) (string, error) {
	id, err := newestID(ctx, q.client.rdb, q.base.key(keyEvents))
	if err != nil {
		return "", wrapRedis("events of "+q.base.String(), err)
	}
	if id == (streamID{}) {
		return FromStart, nil
	}
	return id.String(), nil
}

func (q *Queue) decodeEvents(entries []redis.XMessage, err error) ([]Event, string, error) {
	if err != nil {
		return nil, "", wrapRedis("events of "+q.base.String(), err)
	}
	events, last := make([]Event, 0, len(entries)), ""
	for _, entry := range entries {
		id, err := parseStreamID(entry.ID)
		if err != nil {
			return events, last, wrapRedis("events of "+q.base.String(), err)
		}
		last = entry.ID
		if event, ok := decodeEvent(q.base, id, entry); ok {
			events = append(events, event)
		}
	}
	return events, last, nil
}

// decodeEvent returns false for an entry that names no event.
func decodeEvent(base KeyBase, id streamID, entry redis.XMessage) (Event, bool) {
	event := Event{ID: entry.ID, Queue: base, Fields: make(map[string]string, len(entry.Values)), Time: id.time()}
	for name, value := range entry.Values {
		text := replyText(value)
		switch name {
		case "event":
			event.Type = text
		case "jobId":
			event.JobID = text
		default:
			event.Fields[name] = text
		}
	}
	return event, event.Type != ""
}

// streamID is the id of a stream entry, milliseconds and a number.
type streamID struct {
	ms, seq uint64
}

// parseStreamID reads 1795312800000-0; the number may be left out.
func parseStreamID(text string) (streamID, error) {
	left, right, dashed := strings.Cut(text, "-")
	ms, err := strconv.ParseUint(left, 10, 64)
	seq := uint64(0)
	if err == nil && dashed {
		seq, err = strconv.ParseUint(right, 10, 64)
	}
	if err != nil {
		return streamID{}, fmt.Errorf("%w: %.40q is not the id of an event", ErrInvalidOption, text)
	}
	return streamID{ms, seq}, nil
}

// String returns the id as Redis writes it.
func (id streamID) String() string {
	return strconv.FormatUint(id.ms, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

func (id streamID) less(other streamID) bool {
	return id.ms < other.ms || (id.ms == other.ms && id.seq < other.seq)
}

// time returns the zero time for an id that a producer made up.
func (id streamID) time() time.Time {
	if id.ms >= 1<<53 {
		return time.Time{}
	}
	return time.UnixMilli(int64(id.ms))
}
