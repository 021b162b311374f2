package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/render"
)

// Set by the release build; a build from source asks the build info.
var version, commit, date string

// build describes this binary.
type build struct {
	Version string `json:"version" about:"version of qctl"`
	Commit  string `json:"commit" about:"commit it was built from"`
	Date    string `json:"date" about:"time of the build or the commit"`
	Go      string `json:"go" about:"version of Go"`
	OS      string `json:"os" about:"operating system"`
	Arch    string `json:"arch" about:"architecture"`
}

func currentBuild() build {
	b := build{Version: version, Commit: commit, Date: date, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if b.Version != "" {
		return b
	}
	b.Version = "dev"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		}
	}
	return b
}

func newVersionCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:     "version",
		Short:   "Show the version of this binary",
		GroupID: groupSetup,
		Long: `Show the version of this binary, the commit and the day that it was built from,
and what it was built with and for. Redis is not asked.`,
		Example: `  qctl version
  qctl version -o json
  qctl version -o json | jq -r .version`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			format, err := a.format()
			if err != nil {
				return err
			}
			b := currentBuild()
			if !format.ForPeople() {
				return writeResult(a, b)
			}
			_, err = fmt.Fprintf(a.streams.Out, "qctl %s%s %s %s/%s\n", b.Version, parenthesized(b.Commit, b.Date), b.Go, b.OS, b.Arch)
			return err
		},
	}, render.LayoutOf[build](nil))
}

func parenthesized(commit, date string) string {
	if commit == "" {
		return ""
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if date != "" {
		commit += ", " + date
	}
	return " (" + commit + ")"
}
