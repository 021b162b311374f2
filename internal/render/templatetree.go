package render

import (
	"strconv"
	"text/template/parse"
)

// The functions that a template gets to call without having named them. No
// template calls them by accident: they are none of the documented ones.
const (
	textFunc  = "text_"
	fieldFunc = "field_"
)

// rewrite changes a template in two ways. Every value that is printed goes through
// textFunc, which knows how: nothing for what is missing, JSON for lists and
// objects, escapes on a terminal. And a field of something that has none is null, by
// fieldFunc, where Go would give up. Text that stands in the template
// itself is the operator's.
func rewrite(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			rewrite(child)
		}
	case *parse.IfNode:
		rewriteBranch(&n.BranchNode)
	case *parse.RangeNode:
		rewriteBranch(&n.BranchNode)
	case *parse.WithNode:
		rewriteBranch(&n.BranchNode)
	case *parse.TemplateNode:
		rewritePipe(n.Pipe)
	case *parse.ActionNode:
		rewritePipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 && !isLiteral(n.Pipe) {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, parse.NewIdentifier(textFunc).SetPos(n.Pos)))
		}
	}
}

func rewriteBranch(n *parse.BranchNode) {
	rewritePipe(n.Pipe)
	rewrite(n.List)
	rewrite(n.ElseList)
}

func rewritePipe(pipe *parse.PipeNode) {
	if pipe == nil {
		return
	}
	for _, cmd := range pipe.Cmds {
		for i, arg := range cmd.Args {
			cmd.Args[i] = rewriteArg(arg)
		}
	}
}

// rewriteArg turns .a.b into (field_ . "a" "b").
func rewriteArg(arg parse.Node) parse.Node {
	switch n := arg.(type) {
	case *parse.PipeNode:
		rewritePipe(n)
	case *parse.FieldNode:
		if len(n.Ident) > 1 {
			return fieldsOf(&parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident, n.Pos)
		}
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			variable := &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}
			return fieldsOf(variable, n.Ident[1:], n.Pos)
		}
	case *parse.ChainNode:
		return fieldsOf(rewriteArg(n.Node), n.Field, n.Pos)
	}
	return arg
}

func fieldsOf(of parse.Node, names []string, pos parse.Pos) parse.Node {
	args := []parse.Node{parse.NewIdentifier(fieldFunc).SetPos(pos), of}
	for _, name := range names {
		args = append(args, &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: strconv.Quote(name), Text: name})
	}
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command(pos, args...)}}
}

func command(pos parse.Pos, args ...parse.Node) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: args}
}

func isLiteral(pipe *parse.PipeNode) bool {
	return len(pipe.Cmds) == 1 && len(pipe.Cmds[0].Args) == 1 && pipe.Cmds[0].Args[0].Type() == parse.NodeString
}

// fieldOf looks a field up in an object in an object. What is no object has no
// fields: one job with an odd payload must not end a list.
func fieldOf(value any, names ...string) any {
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}
