package cmd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestRetryForms(t *testing.T) {
	t.Parallel()
	type form struct {
		Queue string
		IDs   []string
		All   bool
	}
	tests := []struct {
		name string
		args []string
		want form
	}{
		{"flag first", []string{"--all-failed", "orchestration"}, form{Queue: "orchestration", All: true}},
		{"queue first", []string{"orchestration", "--all-failed"}, form{Queue: "orchestration", All: true}},
		{"queue as value", []string{"--all-failed=orchestration"}, form{Queue: "orchestration", All: true}},
		{"with other flags between", []string{"--all-failed", "--pace", "1/s", "bull:x"}, form{Queue: "bull:x", All: true}},
		{"true as value", []string{"--all-failed=true", "email"}, form{Queue: "email", All: true}},
		{"false as value", []string{"--all-failed=false", "email", "1"}, form{Queue: "email", IDs: []string{"1"}}},
		{"pattern", []string{"--all-failed=*-queue"}, form{Queue: "*-queue", All: true}},
		{"ids", []string{"email", "1", "2"}, form{Queue: "email", IDs: []string{"1", "2"}}},
		{"ids behind two dashes", []string{"email", "--", "-rf", "--yes"}, form{Queue: "email", IDs: []string{"-rf", "--yes"}}},
		{"standard input", []string{"email", "-"}, form{Queue: "email", IDs: []string{"-"}}},
		{"selection", []string{"email", "--name", "x"}, form{Queue: "email"}},
		{"state", []string{"email", "--state", "completed"}, form{Queue: "email"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			world := newTestWorld(t)
			opts := &retryOptions{}
			cmd := &cobra.Command{}
			opts.addFlags(cmd)
			if err := cmd.ParseFlags(test.args); err != nil {
				t.Fatal(err)
			}
			if err := opts.validate(t.Context(), world.app, cmd.Flags(), cmd.Flags().Args()); err != nil {
				t.Fatal(err)
			}
			got := form{Queue: opts.queue, IDs: opts.ids, All: opts.all.set}
			if len(got.IDs) == 0 {
				got.IDs = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("parsed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAllFailedNeedsNoValueInHelp keeps the stand-in for a missing value out of
// what people read.
func TestAllFailedNeedsNoValueInHelp(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{}
	(&retryOptions{}).addFlags(cmd)
	want := "      --all-failed            retry every failed job; also --all-failed=QUEUE\n"
	got := cmd.Flags().FlagUsages()
	if len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("help begins with %.90q, want %q", got, want)
	}
}
