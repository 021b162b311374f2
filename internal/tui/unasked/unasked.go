// Package unasked keeps bubbletea from asking the terminal for its background
// when the program starts. Version 1 does so in an init function, which means in
// every command of a program that has a dashboard, and waits five seconds on a
// terminal that does not answer, eating what was typed meanwhile.
//
// It asks only where CI is not set. This package imports os alone, so its
// variable is initialized before anything that needs os/signal, as bubbletea
// does: Go initializes packages in the order of their import paths as soon as
// their imports are. Whoever imports both calls Restore while it is itself
// initialized.
package unasked

import "os"

const variable = "CI"

// Restore gives the environment back as it was.
var Restore = hush()

func hush() func() {
	if os.Getenv(variable) != "" || os.Setenv(variable, "1") != nil {
		return func() {}
	}
	return func() { _ = os.Unsetenv(variable) }
}
