package render

import (
	"bufio"
	"io"
)

// Named is a result that other commands take as an argument.
type Named interface {
	// ResultName is the argument; empty for the rare result that has none.
	ResultName() string
}

// names writes the name of each row in a line.
type names[V any] struct {
	out *bufio.Writer
	o   Options
}

func newNames[V any](w io.Writer, o Options) *names[V] {
	return &names[V]{out: bufio.NewWriterSize(w, arrayBuffer), o: o}
}

// Write writes the name of a row; the buffer keeps its first error until Flush.
func (n *names[V]) Write(row V) error {
	named, ok := any(row).(Named)
	if !ok {
		return nil
	}
	name := named.ResultName()
	if name == "" {
		return nil
	}
	if n.o.Terminal {
		name = Text(name)
	}
	_, _ = n.out.WriteString(name)
	return n.out.WriteByte('\n')
}

// Flush writes the names so far.
func (n *names[V]) Flush() error { return n.out.Flush() }

// Close writes what is left.
func (n *names[V]) Close() error { return n.out.Flush() }

// jobName is the name of a job of a queue.
func jobName(queueName, id string) string { return queueName + ":" + id }

// queueName is a name that every command takes for the queue: an alias if there
// is one, else the key base, which needs no prefix.
func queueName(alias *string, keyBase string) string {
	if alias != nil {
		return *alias
	}
	return keyBase
}

// ResultName is the job as QUEUE:ID.
func (v JobView) ResultName() string { return jobName(v.argument, v.ID) }

// ResultName is the alias of the queue, else its key base.
func (v StatsView) ResultName() string { return queueName(v.Alias, v.KeyBase) }

// ResultName is the alias of the queue, else its key base.
func (v QueueView) ResultName() string { return queueName(v.Alias, v.KeyBase) }

// ResultName is the id of the cause, as --cause takes it.
func (v CauseView) ResultName() string { return v.Cause }

// ResultName is the job that the event is about, as QUEUE:ID; empty for those of
// the queue as a whole.
func (v EventView) ResultName() string {
	if v.JobID == nil {
		return ""
	}
	return jobName(v.KeyBase, *v.JobID)
}
