package cmd

import (
	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/render"
)

// completeWords offers the words that a flag takes.
func completeWords(cmd *cobra.Command, flag string, words ...cobra.Completion) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeGlobalFlags binds the completion of the flags that every command has.
func completeGlobalFlags(root *cobra.Command, a *app) {
	formats := make([]cobra.Completion, 0, len(render.Formats()))
	for _, f := range render.Formats() {
		formats = append(formats, string(f))
	}
	completeWords(root, "output", formats...)
	completeWords(root, "color", "auto", "always", "never")
	_ = root.RegisterFlagCompletionFunc("context", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		_, cancel := completionContext(a, cmd)
		defer cancel()
		if c, err := a.loadConfig(); err == nil {
			return c.Contexts, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	})
}
