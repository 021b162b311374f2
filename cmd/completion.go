package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
)

// Shells lists the shells that there are completions for.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// WriteCompletion writes the script that makes a shell complete root's command
// lines.
func WriteCompletion(root *cobra.Command, shell string, w io.Writer) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return &usageError{
		err:  fmt.Errorf("unknown shell %q", shell),
		hint: didYouMean(config.Suggest(shell, Shells()), "there are completions for "+strings.Join(Shells(), ", ")),
	}
}

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "completion SHELL",
		Short:   "Print the completion script of a shell",
		GroupID: groupSetup,
		Long: `Print a script with which a shell completes commands, flags, and the names of
queues and jobs as Redis has them at that moment. SHELL is bash, zsh, fish or
powershell.`,
		Example: `  source <(qctl completion bash)
  qctl completion bash > /etc/bash_completion.d/qctl
  qctl completion zsh > "${fpath[1]}/_qctl"
  qctl completion fish > ~/.config/fish/completions/qctl.fish
  qctl completion powershell | Out-String | Invoke-Expression`,
		Args:              argumentCount(1, 1, "a shell: "+strings.Join(Shells(), ", ")),
		ValidArgsFunction: cobra.FixedCompletions(Shells(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			return WriteCompletion(cmd.Root(), args[0], a.streams.Out)
		},
	}
}
