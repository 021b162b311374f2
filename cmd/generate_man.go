package cmd

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manual returns the manual page of a command. It has no date: the same tree
// gives the same bytes.
func manual(c *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(".\\\" Generated from the command tree; do not edit.\n")
	fmt.Fprintf(&b, ".TH %s 1 \"\" qctl \"qctl manual\"\n", roff(strings.ToUpper(pageName(c))))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(pageName(c)), roff(c.Short))
	if c.Runnable() {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n\\fB%s\\fR\n", roff(c.UseLine()))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n")
	verbatim(&b, description(c))
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n")
		verbatim(&b, unindent(c.Example))
	}
	flagList(&b, "OPTIONS", c.NonInheritedFlags())
	flagList(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	seeAlso(&b, c)
	return b.Bytes()
}

// verbatim keeps the line breaks of a text.
func verbatim(b *bytes.Buffer, text string) {
	b.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		b.WriteString(roff(strings.TrimSuffix(line, "\n")) + "\n")
	}
	b.WriteString(".fi\n")
}

func flagList(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR", roff(name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage+defaultText(f)))
	})
}

// defaultText tells the value of a flag that is not given, unless that is
// nothing.
func defaultText(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

func seeAlso(b *bytes.Buffer, c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, roff(pageName(c.Parent()))+"(1)")
	}
	for _, sub := range subcommands(c) {
		names = append(names, roff(pageName(sub))+"(1)")
	}
	if len(names) > 0 {
		fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", strings.Join(names, ", "))
	}
}

// roff makes a line of text stand for itself.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
