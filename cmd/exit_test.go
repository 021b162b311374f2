package cmd

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

// engineErrors is what scripts that call qctl may count on for each error of
// the engine.
var engineErrors = map[string]struct {
	err  error
	code int
}{
	"ErrActiveJobs":        {queue.ErrActiveJobs, 4},
	"ErrCorrupt":           {queue.ErrCorrupt, 8},
	"ErrBusy":              {queue.ErrBusy, 7},
	"ErrLegacyScheduler":   {queue.ErrLegacyScheduler, 4},
	"ErrFenced":            {queue.ErrFenced, 4},
	"ErrLeaseLost":         {queue.ErrLeaseLost, 4},
	"ErrNeverFires":        {queue.ErrNeverFires, 2},
	"ErrSchedulerExists":   {queue.ErrSchedulerExists, 4},
	"ErrSchedulerNotFound": {queue.ErrSchedulerNotFound, 3},
	"ErrSlotTaken":         {queue.ErrSlotTaken, 4},
	"ErrFailedChildren":    {queue.ErrFailedChildren, 4},
	"ErrHashTag":           {queue.ErrHashTag, 2},
	"ErrInvalidName":       {queue.ErrInvalidName, 2},
	"ErrInvalidOption":     {queue.ErrInvalidOption, 2},
	"ErrJobLocked":         {queue.ErrJobLocked, 4},
	"ErrJobNotFound":       {queue.ErrJobNotFound, 3},
	"ErrJobNotInState":     {queue.ErrJobNotInState, 4},
	"ErrLockLost":          {queue.ErrLockLost, 4},
	"ErrPendingChildren":   {queue.ErrPendingChildren, 4},
	"ErrQueueNotPaused":    {queue.ErrQueueNotPaused, 4},
	"ErrReadOnly":          {queue.ErrReadOnly, 5},
	"ErrSchedulerJob":      {queue.ErrSchedulerJob, 4},
	"ErrTooLarge":          {queue.ErrTooLarge, 2},
	"ErrUnknownState":      {queue.ErrUnknownState, 2},
	"ErrUnsupported":       {queue.ErrUnsupported, 7},
}

func TestEngineErrorsHaveExitCodes(t *testing.T) {
	t.Parallel()
	for name, want := range engineErrors {
		for _, err := range []error{want.err, fmt.Errorf("bull:q: %w", &queue.JobError{ID: "7", Err: want.err})} {
			if code, hint := resultOf(err); code != want.code {
				t.Errorf("%s as %q: exit code %d (hint %q), want %d", name, err, code, hint, want.code)
			}
		}
	}
}

// An error without a row ends qctl as if it had a bug. Names that the engine
// declares are read from its source, so that a new one cannot be forgotten.
func TestEveryEngineErrorIsInTheTable(t *testing.T) {
	t.Parallel()
	declared := sentinels(t, "../internal/queue/*.go")
	if diff := cmp.Diff(declared, slices.Sorted(maps.Keys(engineErrors))); diff != "" {
		t.Errorf("errors that internal/queue declares (-) and the table of this test, which asks for a row in exit.go (+):\n%s", diff)
	}
}

// sentinels returns the names of the exported package variables Err… that the
// files which are no tests declare, sorted.
func sentinels(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	exported := regexp.MustCompile(`^Err[A-Z]\w+$`)
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if exported.MatchString(name.Name) {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return names
}
