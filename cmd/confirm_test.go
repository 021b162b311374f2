package cmd

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/iostreams"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Prompt  string
		Refused bool
	}
	const few, many = 3, typedAbove + 1
	tests := []struct {
		name     string
		jobs     int64
		terminal bool
		answer   string
		want     outcome
	}{
		{"few, yes", few, true, "y\n", outcome{Prompt: "remove 3 failed jobs of email? [y/N] "}},
		{"few, Yes", few, true, "Yes\n", outcome{Prompt: "remove 3 failed jobs of email? [y/N] "}},
		{"few, no", few, true, "n\n", outcome{Prompt: "remove 3 failed jobs of email? [y/N] ", Refused: true}},
		{"few, only return", few, true, "\n", outcome{Prompt: "remove 3 failed jobs of email? [y/N] ", Refused: true}},
		{"few, end of input", few, true, "", outcome{Prompt: "remove 3 failed jobs of email? [y/N] ", Refused: true}},
		{"many, the name", many, true, "email\n", outcome{Prompt: "remove 1,001 failed jobs of email? Type email to go on: "}},
		{"many, only yes", many, true, "y\n", outcome{Prompt: "remove 1,001 failed jobs of email? Type email to go on: ", Refused: true}},
		{"no terminal", few, false, "y\n", outcome{Refused: true}},
		{"none", 0, false, "", outcome{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld(t)
			w.streams.SetTerminals(iostreams.Terminals{In: test.terminal, Err: test.terminal})
			w.in.WriteString(test.answer)
			err := w.confirmRemoval(t.Context(), test.jobs, "failed", []target{{Target: config.Target{Alias: "email", Name: "email-queue"}}})
			if got := (outcome{w.err.String(), as[*confirmError](err)}); got != test.want {
				t.Errorf("got %+v (%v), want %+v", got, err, test.want)
			}
		})
	}
}

// TestConfirmShowsWhatANameIs asks for a name that looks like another one.
func TestConfirmShowsWhatANameIs(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"p\u0430y\n", "p\\u0430y\n"} {
		w := newTestWorld(t)
		w.streams.SetTerminals(iostreams.Terminals{In: true, Err: true})
		w.in.WriteString(answer)
		if err := w.confirm(t.Context(), false, "obliterate it", "p\u0430y"); err != nil {
			t.Errorf("%q was not taken: %v", answer, err)
		}
		if want := `obliterate it? Type p\u0430y to go on: `; w.err.String() != want {
			t.Errorf("asked %q, want %q", w.err, want)
		}
	}
}

// TestConfirmIsInterrupted ends a question that nobody answers.
func TestConfirmIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	w.streams.SetTerminals(iostreams.Terminals{In: true, Err: true})
	in, typing := io.Pipe()
	defer typing.Close()
	w.streams.In = in
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.confirm(ctx, false, "remove it", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
