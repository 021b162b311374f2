package cmd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/render"
)

// The file takes the formats that --output takes, but no template: it would be
// the template of every command.
func TestOutputFormatsOfTheFile(t *testing.T) {
	t.Parallel()
	var formats []string
	for _, f := range render.Formats() {
		if f != render.FormatTemplate {
			formats = append(formats, string(f))
		}
	}
	if diff := cmp.Diff(formats, config.OutputFormats()); diff != "" {
		t.Errorf("formats of the command line (-) and of the file (+):\n%s", diff)
	}
}
