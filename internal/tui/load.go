package tui

import (
	"context"
	"errors"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
)

// Most time that calls may take.
const (
	refreshTimeout  = 3 * time.Second
	discoverTimeout = 30 * time.Second
	historyTimeout  = 20 * time.Second
	actionTimeout   = 10 * time.Second
)

// How much is asked for at a time.
const (
	standingsPerRefresh = 100 // queues
	historyQueues       = 250
	sampleJobs          = 50
	pageJobs            = 200
	filteredJobs        = 1000
	shownLogs           = 50
	jobFieldLimit       = 256 << 10 // bytes
)

// loader makes the commands that call the source. It changes nothing of the
// model: answers are messages.
type loader struct {
	ctx    context.Context //nolint:containedctx // the life of the program, which commands outlive the Update of
	source Source
	now    func() time.Time
	// after sends a message later.
	after func(d time.Duration, msg tea.Msg) tea.Cmd
}

// call is a command that ends after a while. Its panic is a message, too.
func (l loader) call(limit time.Duration, f func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		defer func() {
			if p := recovered(recover()); p != nil {
				msg = panicMsg{p}
			}
		}()
		ctx, cancel := context.WithTimeout(l.ctx, limit)
		defer cancel()
		return f(ctx)
	}
}

// timer is the after of a loader outside of tests.
func timer(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(max(d, time.Millisecond), func(time.Time) tea.Msg { return msg })
}

// clockMsg is the time going on, refreshDueMsg the end of a pause.
type (
	clockMsg      struct{}
	refreshDueMsg struct{ round int }
)

func (l loader) clock() tea.Cmd {
	return l.after(time.Second, clockMsg{})
}

// discoveredMsg is the list of queues.
type discoveredMsg struct {
	queues []Queue
	at     time.Time
	err    error
}

func (l loader) discover() tea.Cmd {
	return l.call(discoverTimeout, func(ctx context.Context) tea.Msg {
		queues, err := l.source.Queues(ctx)
		return discoveredMsg{queues, l.now(), err}
	})
}

// refreshedMsg is the numbers of queues.
type refreshedMsg struct {
	at      time.Time
	took    time.Duration
	bases   []queue.KeyBase
	counts  []queue.Counts
	rates   []queue.Rates
	minutes map[int64][]queue.Rates // of the minutes of the clock
	workers map[queue.KeyBase][]queue.WorkerConn
	asked   bool            // for workers
	moving  []queue.KeyBase // that were asked for their standing
	stands  []Standing
	err     error
}

// mostMinutes is how many minutes a refresh makes up for after a silence.
const mostMinutes = 10

// minute asks what finished in a minute of the clock; of the one that runs, so
// far: nothing finishes in the future.
func (l loader) minute(ctx context.Context, bases []queue.KeyBase, minute int64) ([]queue.Rates, error) {
	return l.source.Rates(ctx, bases, time.Unix((minute+1)*60, 0))
}

// refresh asks for everything about all queues, in a round trip for each kind
// of number, and for the minutes of the clock since the last one. Workers are listed where told to: that costs Redis most. Of the
// queues in which jobs wait or run, some are asked whether they move, beginning
// with the first-th, so that all have their turn.
func (l loader) refresh(bases []queue.KeyBase, workers bool, first int, last int64) tea.Cmd {
	return l.call(refreshTimeout, func(ctx context.Context) tea.Msg {
		begun := l.now()
		msg := refreshedMsg{at: begun, bases: bases, asked: workers}
		if msg.counts, msg.err = l.source.Counts(ctx, bases); msg.err != nil {
			return msg
		}
		if msg.rates, msg.err = l.source.Rates(ctx, bases, begun); msg.err != nil {
			return msg
		}
		msg.minutes = map[int64][]queue.Rates{}
		current := minuteOf(begun)
		for minute := max(last, current-mostMinutes+1); minute <= current; minute++ {
			if msg.minutes[minute], msg.err = l.minute(ctx, bases, minute); msg.err != nil {
				return msg
			}
		}
		if workers {
			msg.workers, msg.err = l.source.Workers(ctx, bases)
			if msg.err != nil && !errors.Is(msg.err, queue.ErrUnsupported) {
				return msg
			}
			msg.err = nil
		}
		var moving []queue.KeyBase
		for i, c := range msg.counts {
			if c.Waiting > 0 || c.Prioritized > 0 || c.Active > 0 {
				moving = append(moving, bases[i])
			}
		}
		if n := len(moving); n > 0 {
			for i := range min(n, standingsPerRefresh) {
				msg.moving = append(msg.moving, moving[(first+i)%n])
			}
			msg.stands, msg.err = l.source.Standings(ctx, msg.moving)
		}
		msg.took = l.now().Sub(begun)
		return msg
	})
}

// historyMsg is what finished in each of the past minutes, as far as the jobs
// are kept.
type historyMsg struct {
	bases   []queue.KeyBase
	minutes map[int64][]queue.Rates
}

func (l loader) history(bases []queue.KeyBase) tea.Cmd {
	bases = bases[:min(len(bases), historyQueues)]
	return l.call(historyTimeout, func(ctx context.Context) tea.Msg {
		msg := historyMsg{bases, map[int64][]queue.Rates{}}
		current := minuteOf(l.now())
		for minute := current - 1; minute > current-kept; minute-- {
			rates, err := l.minute(ctx, bases, minute)
			if err != nil {
				break // the past stays unknown; refreshes tell what is wrong
			}
			msg.minutes[minute] = rates
		}
		return msg
	})
}

// sampleMsg is the newest failed jobs of a queue.
type sampleMsg struct {
	base queue.KeyBase
	of   int64 // failed jobs in all when it was asked for
	jobs []queue.Job
	err  error
}

func (l loader) sample(base queue.KeyBase, failed int64) tea.Cmd {
	return l.call(refreshTimeout, func(ctx context.Context) tea.Msg {
		listed, err := l.source.List(ctx, base, queue.ListRequest{
			State: queue.StateFailed, Count: sampleJobs, Newest: true, Fields: queue.FieldsRow, Cap: queue.ListFieldLimit,
		})
		return sampleMsg{base, failed, listed.Jobs, err}
	})
}

// pageMsg is a part of the jobs of one state.
type pageMsg struct {
	base  queue.KeyBase
	state queue.State
	start int
	count int
	jobs  []queue.Job
	due   []time.Time // of delayed jobs
	err   error
}

func (l loader) page(base queue.KeyBase, state queue.State, start, count int) tea.Cmd {
	return l.call(refreshTimeout, func(ctx context.Context) tea.Msg {
		msg := pageMsg{base: base, state: state, start: start, count: count}
		listed, err := l.source.List(ctx, base, queue.ListRequest{
			State: state, Start: start, Count: count, Newest: state.Finished(), Fields: queue.FieldsRow | queue.FieldOpts,
		})
		msg.jobs, msg.err = listed.Jobs, err
		if err == nil && state == queue.StateDelayed && len(listed.Jobs) > 0 {
			ids := make([]string, len(listed.Jobs))
			for i, job := range listed.Jobs {
				ids[i] = job.ID
			}
			msg.due, msg.err = l.source.DueTimes(ctx, base, ids)
		}
		return msg
	})
}

// jobMsg is everything about one job.
type jobMsg struct {
	base  queue.KeyBase
	id    string
	job   queue.Job
	logs  []string
	lines int64 // of the log
	at    time.Time
	err   error
}

func (l loader) job(base queue.KeyBase, id string) tea.Cmd {
	return l.call(refreshTimeout, func(ctx context.Context) tea.Msg {
		msg := jobMsg{base: base, id: id, at: l.now()}
		if msg.job, msg.err = l.source.Get(ctx, base, id); msg.err == nil {
			msg.logs, msg.lines, msg.err = l.source.Logs(ctx, base, id, shownLogs)
		}
		if errors.Is(msg.err, queue.ErrJobNotFound) && msg.job.ID != "" {
			msg.err = nil // removed between the two questions: show what was read
		}
		return msg
	})
}

// actedMsg is what became of a change.
type actedMsg struct {
	twin string // the same on the command line
	done string // in a word or two
	err  error
	took time.Duration
}

func (l loader) act(twin, done string, f func(ctx context.Context) error) tea.Cmd {
	return l.call(actionTimeout, func(ctx context.Context) tea.Msg {
		begun := l.now()
		err := f(ctx)
		return actedMsg{twin, done, err, l.now().Sub(begun)}
	})
}
