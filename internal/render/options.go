package render

import (
	"context"
	"time"

	"github.com/qctl/qctl/internal/iostreams"
)

// Options say for whom the text is. The zero value is for a program at the other
// end of a pipe.
type Options struct {
	// Terminal says that people look at it.
	Terminal bool
	// Width is how many columns the terminal has; 0 means without limit.
	Width int
	// Color allows colour, on a terminal only.
	Color bool
	// Wide shows every column and cuts nothing.
	Wide bool
	// NoHeaders leaves out the line of headers.
	NoHeaders bool
	// ASCII draws states with ASCII characters, for terminals that have no others.
	ASCII bool
	// Columns are the columns of a table or of CSV that were asked for, in this
	// order; none leaves it to the list.
	Columns []string
	// Template writes the rows in the format template.
	Template *Template
	// Query, if any, is applied to JSON.
	Query *Query
	// Context ends a query that does not end by itself; nil never does.
	Context context.Context
	// Now is when ages are counted to; zero shows times instead of ages.
	Now time.Time
}

// For returns the options for the results of a command, with ages counted to
// now.
func For(s *iostreams.Streams, now time.Time) Options {
	return Options{Terminal: s.OutIsTerminal(), Width: s.Width(), Color: s.Color(), Now: now}
}

// limit is the width that lines are cut to, 0 for none.
func (o Options) limit() int {
	if !o.Terminal || o.Wide {
		return 0
	}
	return max(o.Width, 0)
}
