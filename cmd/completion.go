package cmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
)

// shells lists the shells that there are completions for.
func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// writeCompletion writes the script that makes a shell complete root's command
// lines.
func writeCompletion(root *cobra.Command, shell string, w io.Writer) error {
	switch shell {
	case "bash":
		return writeBash(root, w)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return &usageError{
		err:  fmt.Errorf("unknown shell %q", shell),
		hint: didYouMean(config.Suggest(shell, shells()), "there are completions for "+strings.Join(shells(), ", ")),
	}
}

// bashMends are what cobra's script for bash lacks here: each text stands in it
// once and is replaced by the other.
var bashMends = []struct{ text, mended string }{
	// A comma means nothing to bash, and escaped it would not be found again when
	// the next word is completed behind it.
	{
		"        if (( ${#COMPREPLY[@]} == 1 )); then\n            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n",
		"        if (( ${#COMPREPLY[@]} == 1 )); then\n            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n" +
			"            COMPREPLY[0]=${COMPREPLY[0]//\\\\,/,}\n",
	},
	// Without the package bash-completion each key press would print an error.
	{"    _get_comp_words_by_ref \"$@\" cur prev words cword\n", `    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    # Without the package bash-completion: the line up to the cursor, cut at blanks.
    local line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    if [[ ${line} == *[[:blank:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword > 0 ? cword - 1 : 0]}
`},
}

// writeBash writes cobra's script, mended.
func writeBash(root *cobra.Command, w io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	text := script.String()
	for _, mend := range bashMends {
		if strings.Count(text, mend.text) != 1 {
			return fmt.Errorf("the completion script for bash has no single %q", mend.text)
		}
		text = strings.Replace(text, mend.text, mend.mended, 1)
	}
	_, err := io.WriteString(w, text)
	return err
}

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "completion SHELL",
		Short:   "Print the completion script of a shell",
		GroupID: groupSetup,
		Long: `Print a script with which a shell completes commands, flags, and the names of
queues and jobs as Redis has them at that moment. SHELL is bash, zsh, fish or
powershell. What Redis does not answer within 200 ms is left out;
QCTL_COMPLETION_TIMEOUT=1s waits longer.`,
		Example: `  source <(qctl completion bash)
  qctl completion bash > /etc/bash_completion.d/qctl
  qctl completion zsh > "${fpath[1]}/_qctl"
  qctl completion fish > ~/.config/fish/completions/qctl.fish
  qctl completion powershell | Out-String | Invoke-Expression`,
		Args:              argumentCount(1, 1, "a shell: "+strings.Join(shells(), ", ")),
		ValidArgsFunction: cobra.FixedCompletions(shells(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeCompletion(cmd.Root(), args[0], a.streams.Out)
		},
	}
}
