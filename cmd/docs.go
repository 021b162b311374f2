package cmd

import (
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/iostreams"
)

// NewRootForDocs returns the command tree for the program that writes its
// documentation. Its commands are to be read, not run.
func NewRootForDocs() *cobra.Command {
	return newRootCommand(&app{
		streams:   &iostreams.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard},
		lookupEnv: func(string) (string, bool) { return "", false },
		environ:   func() []string { return nil },
		now:       time.Now,
		local:     time.UTC,
	})
}
