package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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

// TestConfirmProtected types the name of a protected queue, even after --yes.
func TestConfirmProtected(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		terminal     bool
		c            confirmation
		left         int
		refused      bool
		asked        string
	}{
		{name: "typed", answer: "prod/email\n", terminal: true, c: confirmation{yes: true}, asked: "drain email, which is protected? Type prod/email to go on: "},
		{name: "yes", answer: "y\n", terminal: true, c: confirmation{yes: true}, refused: true, asked: "drain email, which is protected? Type prod/email to go on: "},
		{name: "the queue alone", answer: "email\n", terminal: true, refused: true, asked: "drain email, which is protected? Type prod/email to go on: "},
		{name: "no terminal", answer: "prod/email\n", c: confirmation{yes: true}, refused: true},
		{name: "flag", c: confirmation{names: []string{"prod/email"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld(t)
			w.config = &config.Config{Context: "prod", Protected: []string{"email-*"}}
			w.streams.SetTerminals(iostreams.Terminals{In: test.terminal, Err: test.terminal})
			w.in.WriteString(test.answer)
			of := []target{{Target: config.Target{Alias: "email", Name: "email-queue", Prefix: "bull"}}}
			left, err := w.confirmNamed(t.Context(), &test.c, of, func(t target) string { return "drain " + t.label() })
			if as[*confirmError](err) != test.refused || len(left) != test.left || w.err.String() != test.asked {
				t.Errorf("left %d, err %v, asked %q", len(left), err, w.err)
			}
		})
	}
}

func TestIsProtected(t *testing.T) {
	t.Parallel()
	email := target{Target: config.Target{Alias: "email", Prefix: "bull", Name: "{email-queue}"}}
	for pattern, want := range map[string]bool{
		"email": true, "email-queue": true, "{email-queue}": true, "bull:email-queue": true, "bull:*": true, "*": true, "e?ail": true,
		"e": false, "mail": false, "Email": false, "queue:*": false, "": false,
		"[": true, // broken patterns are refused in the file; here one protects all
	} {
		if got := isProtected(&config.Config{Protected: []string{pattern}}, email); got != want {
			t.Errorf("%q protects: %v, want %v", pattern, got, want)
		}
	}
}

// On a terminal the name of a protected queue is typed before it is paused.
func TestPauseAsksForTheName(t *testing.T) {
	t.Parallel()
	for typed, code := range map[string]int{"email\n": exitDone, "y\n": exitUnconfirmed, "": exitUnconfirmed} {
		_, rdb, env := memoryRedis(t)
		plant(t, rdb, "bull:email-queue", "failed", plain(1))
		env["QCTL_CONFIG"] = filepath.Join(t.TempDir(), "qctl.yaml")
		if err := os.WriteFile(env["QCTL_CONFIG"], []byte("version: 1\nprotected: [email]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := call{args: words("pause email"), env: env, stdin: typed, terminal: true, width: 100}.run(t)
		paused := rdb.HExists(t.Context(), "bull:email-queue:meta", "paused").Val()
		if got.code != code || paused != (code == exitDone) || !strings.Contains(got.err, "pause email, which is protected? Type email to go on:") {
			t.Errorf("typed %q: exit %d, paused: %v\n%s", typed, got.code, paused, got.err)
		}
	}
}
