package cmd

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/config"
)

func TestJobIDs(t *testing.T) {
	t.Parallel()
	email := target{Target: config.Target{Alias: "email", Prefix: "bull", Name: "email-queue"}}
	long := strings.Repeat("x", maxIDLine)
	many := strings.Repeat("1\n", idPage+1)
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  [][]string
		bad   bool
	}{
		{"arguments", []string{"1", "email:2", "email-queue:3", "bull:email-queue:4"}, "", [][]string{{"1", "2", "3", "4"}}, false},
		{"colons", []string{"nobody:1", "a:b:c", "email:", "dev:"}, "", [][]string{{"nobody:1", "a:b:c", "email:", "dev:"}}, false},
		{"another queue", []string{"1", "dev:1"}, "", nil, true},
		{"another queue by its key base", []string{"queue:dev:1"}, "", nil, true},
		{"another queue behind the own", []string{"email:dev:1"}, "", [][]string{{"dev:1"}}, false},
		{"another queue in a line", []string{"-"}, "1\n\ndev:1\n", nil, true},
		{"lines", []string{"-"}, "1\r\n\n email:2\nemail:3", [][]string{{"1", " email:2", "3"}}, false},
		{"no lines", []string{"-"}, "\n\n", nil, false},
		{"pages", []string{"-"}, many, [][]string{strings.Fields(many)[:idPage], {"1"}}, false},
		{"a line too long", []string{"-"}, "1\n" + long + "\n2\n", [][]string{{"1"}}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld(t)
			w.in.WriteString(test.stdin)
			reader := w.jobIDs(t.Context(), email, test.args)
			var got [][]string
			for {
				page, err := reader.next(t.Context())
				if len(page) > 0 {
					got = append(got, page)
				}
				if bad := as[*usageError](err); err != nil && bad != test.bad {
					t.Fatalf("unexpected error %v", err)
				}
				if err != nil || len(page) == 0 {
					if test.bad != (err != nil) {
						t.Errorf("ended with %v", err)
					}
					break
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJobIDsAreInterrupted ends the wait for a pipe that nobody writes to.
func TestJobIDsAreInterrupted(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	in, writer := io.Pipe()
	defer writer.Close()
	w.streams.In = in
	ctx, cancel := context.WithCancel(t.Context())
	reader := w.jobIDs(ctx, target{}, []string{"-"})
	cancel()
	if _, err := reader.next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
