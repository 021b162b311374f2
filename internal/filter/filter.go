// Package filter compiles the conditions that people write on command lines, such
// as failed > 100 && workers == 0, and answers them from named values.
package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// ErrInvalid is the error of a condition that cannot be compiled.
var ErrInvalid = errors.New("invalid condition")

// UnknownNameError is the ErrInvalid of a name that means nothing.
type UnknownNameError struct {
	Name   string
	Column int // from 1
}

// Error says where the name stands.
func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("%s: column %d: unknown name %q", ErrInvalid, e.Column, e.Name)
}

// Is makes the error an ErrInvalid.
func (e *UnknownNameError) Is(target error) bool { return target == ErrInvalid }

// Limits that keep a condition from being a program.
const (
	maxSource = 4 << 10 // bytes
	maxNodes  = 500
	maxMemory = 100_000 // values made by one answer
)

// Condition is an expression that is true or false.
type Condition struct {
	source  string
	program *vm.Program
	names   []string
}

// Parse compiles a condition. Sample has a value of the right type for each name
// that the condition may use. The error is ErrInvalid with the column, counted
// from 1, and what is wrong there.
func Parse(source string, sample map[string]any) (*Condition, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%w: %d bytes, of at most %d", ErrInvalid, len(source), maxSource)
	}
	used := &names{known: sample}
	program, err := expr.Compile(source, expr.Env(sample), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(used))
	if err != nil {
		return nil, refuse(err)
	}
	return &Condition{source: source, program: program, names: used.found}, nil
}

// refuse keeps the place and the reason, and leaves out the drawing.
func refuse(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if name, ok := strings.CutPrefix(at.Message, "unknown name "); ok {
		return &UnknownNameError{Name: name, Column: at.Column + 1}
	}
	return fmt.Errorf("%w: column %d: %s", ErrInvalid, at.Column+1, at.Message)
}

// Holds answers the condition from these values, which must have the types of
// the sample.
func (c *Condition) Holds(values map[string]any) (bool, error) {
	machine := vm.VM{MemoryBudget: maxMemory}
	answer, err := machine.Run(c.program, values)
	if err != nil {
		var at *file.Error
		if errors.As(err, &at) {
			return false, fmt.Errorf("condition: column %d: %s", at.Column+1, at.Message)
		}
		return false, fmt.Errorf("condition: %w", err)
	}
	holds, _ := answer.(bool) // the compiler has made sure
	return holds, nil
}

// Names lists the names that the condition uses, in the order of the text.
func (c *Condition) Names() []string { return slices.Clone(c.names) }

// String returns the source, in one line.
func (c *Condition) String() string { return strings.Join(strings.Fields(c.source), " ") }

// names collects the names that an expression uses.
type names struct {
	known map[string]any
	found []string
}

// Visit is called for every node.
func (n *names) Visit(node *ast.Node) {
	id, ok := (*node).(*ast.IdentifierNode)
	if !ok || slices.Contains(n.found, id.Value) {
		return
	}
	if _, known := n.known[id.Value]; known {
		n.found = append(n.found, id.Value)
	}
}
