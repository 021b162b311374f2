package cmd

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// markdown returns the page of a command for the reference.
func markdown(c *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- Generated from the command tree; do not edit. -->\n\n# %s\n\n%s.\n\n", c.CommandPath(), c.Short)
	if c.Runnable() {
		textBlock(&b, c.UseLine())
	}
	// The texts are set for a terminal: their line breaks and tables count.
	if c.Long != "" {
		b.WriteString("## Description\n\n")
		textBlock(&b, c.Long)
	}
	if c.Example != "" {
		b.WriteString("## Examples\n\n")
		textBlock(&b, unindent(c.Example))
	}
	flagBlock(&b, "Flags", c.NonInheritedFlags())
	flagBlock(&b, "Flags of every command", c.InheritedFlags())
	linkList(&b, c)
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

func textBlock(b *bytes.Buffer, text string) {
	fmt.Fprintf(b, "```text\n%s\n```\n\n", strings.TrimRight(text, "\n"))
}

// unindent removes the two blanks that examples begin with in the help.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func flagBlock(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(b, "## %s\n\n", title)
		textBlock(b, flags.FlagUsages())
	}
}

func linkList(b *bytes.Buffer, c *cobra.Command) {
	subs := subcommands(c)
	if len(subs) == 0 && !c.HasParent() {
		return
	}
	b.WriteString("## See also\n\n")
	if c.HasParent() {
		subs = append([]*cobra.Command{c.Parent()}, subs...)
	}
	for _, other := range subs {
		fmt.Fprintf(b, "- [%s](%s.md): %s\n", other.CommandPath(), pageName(other), other.Short)
	}
}
