package cmd

import "strings"

// seekOutput finds --output on a command line that could not be parsed to its
// end: the error is JSON also when -o json stands behind the mistake.
func (a *app) seekOutput(args []string) {
	if a.flags.changed("output") {
		return
	}
	for i, arg := range args {
		value, found := strings.CutPrefix(arg, "--output=")
		switch {
		case arg == "--":
			return
		case found:
		case (arg == "-o" || arg == "--output") && i+1 < len(args):
			value = args[i+1]
		case strings.HasPrefix(arg, "-o") && len(arg) > len("-o"):
			value = strings.TrimPrefix(arg[len("-o"):], "=")
		default:
			continue
		}
		a.flags.output = value
	}
}
