package tui

import (
	"context"
	"fmt"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
)

// Queue is a queue to be shown.
type Queue struct {
	// Name is what people call it, Typed what names it on the command line.
	Name  string
	Typed string
	Base  queue.KeyBase
	// Protected queues are not paused or resumed here: whoever means it types
	// the command, which asks for the name.
	Protected bool
}

// Standing is what shows whether a queue moves.
type Standing struct {
	queue.Standing
	// Err says that it could not be found out.
	Err error
}

// Source is what the dashboard asks. Answers about many queues come in the order
// of the question. A call may be made from any goroutine, and ends with its
// context.
type Source interface {
	Queues(ctx context.Context) ([]Queue, error)
	Counts(ctx context.Context, bases []queue.KeyBase) ([]queue.Counts, error)
	// Rates counts what finished in the minute before at.
	Rates(ctx context.Context, bases []queue.KeyBase, at time.Time) ([]queue.Rates, error)
	// Workers returns queue.ErrUnsupported where they cannot be known.
	Workers(ctx context.Context, bases []queue.KeyBase) (map[queue.KeyBase][]queue.WorkerConn, error)
	Standings(ctx context.Context, bases []queue.KeyBase) ([]Standing, error)
	List(ctx context.Context, base queue.KeyBase, r queue.ListRequest) (queue.Listed, error)
	DueTimes(ctx context.Context, base queue.KeyBase, ids []string) ([]time.Time, error)
	Get(ctx context.Context, base queue.KeyBase, id string) (queue.Job, error)
	// Logs returns the newest n lines of a job's log, the newest last, and how
	// many there are.
	Logs(ctx context.Context, base queue.KeyBase, id string, n int) (lines []string, total int64, err error)
	// Retry puts one failed or completed job back to waiting.
	Retry(ctx context.Context, base queue.KeyBase, from queue.State, id string) error
	Pause(ctx context.Context, base queue.KeyBase) error
	Resume(ctx context.Context, base queue.KeyBase) error
}

// Options say what the dashboard shows, and where.
type Options struct {
	Source Source
	// Title says which Redis it is; it is foreign text.
	Title string
	// Refresh is the pause between two refreshes; 0 means 2 seconds.
	Refresh time.Duration
	// ReadOnly refuses changes for the reason in ReadOnlyWhy.
	ReadOnly    bool
	ReadOnlyWhy string

	In    io.Reader
	Out   io.Writer
	ASCII bool
	Color bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// DefaultRefresh is the pause between two refreshes when none is given.
const DefaultRefresh = 2 * time.Second

// framesPerSecond bounds the delay from key to screen at 50 ms; the renderer's
// own 60 would cost an idle dashboard a hundredth of a core.
const framesPerSecond = 20

// Run shows the dashboard until its user quits, which is no error, or ctx ends,
// whose error it returns. The terminal is restored in every case, also when the
// program panics, which is a [PanicError].
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return run(ctx, o, newModel(ctx, o))
}

func run(ctx context.Context, o Options, m tea.Model) error {
	guard := &guard{model: m}
	// Signals are the caller's: they end ctx.
	program := tea.NewProgram(guard,
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithAltScreen(),
		tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))
	guard.quit = program.Quit
	_, err := program.Run()
	switch {
	case guard.panicked != nil:
		return guard.panicked
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("dashboard: %w", err)
	}
	return nil
}
