package tui

import (
	"fmt"
	"runtime/debug"

	tea "github.com/charmbracelet/bubbletea"
)

// PanicError is a panic of the dashboard, which is a bug.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what the program panicked with.
func (e *PanicError) Error() string { return fmt.Sprintf("the dashboard crashed: %v", e.Value) }

// guard ends the program after a panic of its model, in good order. The library
// would catch it as well, but print its stack over whatever is on the screen,
// and keep what it was to itself.
type guard struct {
	model    tea.Model
	quit     func()
	panicked *PanicError // the first; the model is not asked any more
}

// panicMsg is a panic in a command.
type panicMsg struct{ *PanicError }

// recovered is what recover returned, as an error; nil for nothing. It is to be
// called where the panic is recovered, for the sake of the stack.
func recovered(value any) *PanicError {
	if value == nil {
		return nil
	}
	return &PanicError{value, debug.Stack()}
}

// Init begins.
func (g *guard) Init() (cmd tea.Cmd) {
	defer func() {
		if g.panicked = recovered(recover()); g.panicked != nil {
			cmd = tea.Quit
		}
	}()
	return g.model.Init()
}

// Update passes messages on, until something panics.
func (g *guard) Update(msg tea.Msg) (self tea.Model, cmd tea.Cmd) {
	if crashed, ok := msg.(panicMsg); ok && g.panicked == nil {
		g.panicked = crashed.PanicError
	}
	if g.panicked != nil {
		return g, tea.Quit
	}
	defer func() {
		if g.panicked = recovered(recover()); g.panicked != nil {
			self, cmd = g, tea.Quit
		}
	}()
	g.model, cmd = g.model.Update(msg)
	return g, cmd
}

// View draws, until something panics.
func (g *guard) View() (screen string) {
	if g.panicked != nil {
		return ""
	}
	defer func() {
		if g.panicked = recovered(recover()); g.panicked != nil {
			screen = ""
			go g.quit() // it waits for whoever asked for the view
		}
	}()
	return g.model.View()
}
