package cmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/render"
)

// completeOutput binds the completions of the flags about results.
func (a *app) completeOutput(root *cobra.Command) {
	// They fail only for a flag that does not exist.
	_ = root.RegisterFlagCompletionFunc("output", a.completeFormats)
	_ = root.RegisterFlagCompletionFunc("columns", a.completeColumns)
	_ = root.RegisterFlagCompletionFunc("jq", cobra.NoFileCompletions)
}

// completeFormats offers the formats that a command has.
func (a *app) completeFormats(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	formats := render.Formats()
	if p, ok := a.results[cmd]; ok {
		if formats = p.formats; formats == nil {
			formats = p.layout().Formats()
		}
	}
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	var words []cobra.Completion
	for _, f := range formats {
		word := string(f)
		if f == render.FormatTemplate {
			word += "="
		}
		if strings.HasPrefix(word, toComplete) {
			words = append(words, word)
		}
	}
	if len(words) == 1 && strings.HasSuffix(words[0], "=") {
		directive |= cobra.ShellCompDirectiveNoSpace // the template follows
	}
	return words, directive
}

// completeColumns offers the columns of a command, also behind a comma.
func (a *app) completeColumns(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	p, ok := a.results[cmd]
	if !ok {
		return nil, directive
	}
	done := toComplete[:strings.LastIndexByte(toComplete, ',')+1]
	chosen := strings.Split(strings.ToLower(done), ",")
	var words []cobra.Completion
	for _, c := range p.layout().Choices() {
		word := done + c.Name
		if !slices.Contains(chosen, strings.ToLower(c.Name)) && strings.HasPrefix(strings.ToLower(word), strings.ToLower(toComplete)) {
			words = append(words, cobra.CompletionWithDesc(word, c.About))
		}
	}
	if done == "" && strings.HasPrefix("help", toComplete) {
		words = append(words, cobra.CompletionWithDesc("help", "list the columns"))
	}
	return words, directive
}
