package cmd

import (
	"bytes"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/iostreams"
)

// panicking is a stream with a bug.
type panicking struct{}

// Write panics.
func (panicking) Write([]byte) (int, error) { panic("for the\x1b[2J test") }

// A panic is code 70, whatever was asked for, with the place for people and as
// JSON for programs.
func TestBugIsCode70(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"version", "version -o json"} {
		streams, _, _, errOut := iostreams.Test()
		streams.Out = panicking{}
		if code := Main(words(args), streams); code != exitBug {
			t.Fatalf("%s: exit %d", args, code)
		}
		checkHarmless(t, args, errOut.String(), false)
		if !strings.HasSuffix(args, "json") {
			if !bytes.Contains(errOut.Bytes(), []byte("bug_test.go")) || !bytes.Contains(errOut.Bytes(), []byte("hint: please report it")) {
				t.Errorf("%s: %s", args, errOut)
			}
		} else if err := checkErrorDocument(errOut.String(), exitBug); err != nil {
			t.Errorf("%s: %v in %s", args, err, errOut)
		}
	}
}
