package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var flowLimits = FlowLimits{Jobs: 10, Depth: 4, Bytes: 1 << 20}

// flat writes a flow in a line for each job.
func flat(n *FlowNode) (lines []string) {
	if n == nil {
		return nil
	}
	lines = append(lines, strings.Join([]string{n.Path, n.Queue, n.Name, string(n.Data), string(n.Opts)}, "|"))
	for _, child := range n.Children {
		lines = append(lines, flat(child)...)
	}
	return lines
}

func TestReadFlow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, text string
		want             []string
	}{
		{"one job", "f.json", `{}`, []string{"||||"}},
		{
			"JSON keeps the bytes of payloads", "f.json",
			`{"queue":"dev","name":"release","data":{ "n": 9007199254740993, "a":1,"a":2 },"opts":{"attempts": 2},` + "\n" +
				` "children":[{"queue":"qa","data":[1, 2]},{"name":"ü\n","children":[{"data":null}]}]}`,
			[]string{
				`|dev|release|{ "n": 9007199254740993, "a":1,"a":2 }|{"attempts": 2}`, `children[0]|qa||[1, 2]|`,
				"children[1]||ü\n||", "children[1].children[0]|||null|",
			},
		},
		{
			"YAML", "f.yaml",
			"queue: dev\nname: release\ndata: {version: 1.10, tag: \"1.10\", big: 9007199254740993}\nchildren:\n" +
				"  - {queue: qa, name: test, opts: {attempts: 2}}\n  - queue: ba\n    children:\n",
			[]string{`|dev|release|{"version":1.10,"tag":"1.10","big":9007199254740993}|`, `children[0]|qa|test||{"attempts":2}`, "children[1]|ba|||"},
		},
		{
			"what is said once", "f.yaml", "queue: dev\nchildren:\n  - &build {queue: qa, opts: {attempts: 2}}\n  - {<<: *build, name: other}\n  - *build\n",
			[]string{"|dev|||", `children[0]|qa|||{"attempts":2}`, `children[1]|qa|other||{"attempts":2}`, `children[2]|qa|||{"attempts":2}`},
		},
		{"JSON in a file of YAML", "f.yaml", `{"queue":"dev","data":{ "n":1}}`, []string{`|dev||{ "n":1}|`}},
		{"braces of YAML", "f.yml", "{queue: dev}", []string{"|dev|||"}},
		{"YAML from anywhere", "standard input", "queue: dev\n", []string{"|dev|||"}},
		{"JSON from anywhere", "standard input", " \n{\"queue\":\"dev\"}\n", []string{"|dev|||"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			flow, err := ReadFlow(test.file, []byte(test.text), flowLimits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, flat(flow)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadFlowRefuses(t *testing.T) {
	t.Parallel()
	many := `{"children":[` + strings.TrimSuffix(strings.Repeat("{},\n", 11), ",\n") + "]}"
	deep := strings.Repeat(`{"children":[`, 4) + "{}" + strings.Repeat("]}", 4)
	var bomb strings.Builder
	bomb.WriteString("queue: a\ndata:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		fmt.Fprintf(&bomb, "  - &a%d [%s]\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for _, test := range []struct {
		name, file, text string
		want             []string
	}{
		{"nothing", "f.yaml", "", []string{"f.yaml: holds nothing: want a job with queue, name, data, opts, children"}},
		{"a list", "f.json", "[{}]", []string{"f.json:1:1: want a job with queue, name, data, opts, children, not a list"}},
		{"a text", "f.yaml", "release\n", []string{"f.yaml:1:1: want a job with queue, name, data, opts, children, not a text"}},
		{"broken JSON", "f.json", "{\"queue\":\"dev\",\n \"data\":{\"a\":1,}}", []string{"f.json:2:16: comma before the closing bracket"}},
		{"broken YAML", "f.yaml", "queue: dev\nchildren: [\n", []string{"f.yaml:2:11: sequence end token ']' not found"}},
		{"two documents", "f.json", "{}\n{}", []string{"f.json:2:1: a second document, only one is allowed"}},
		{"two documents of YAML", "f.yaml", "queue: a\n---\nqueue: b\n", []string{"f.yaml:3:6: a second document: want one"}},
		{
			"fields that are none", "f.json", "{\"queue\":\"dev\",\n\"children\":[{\"dta\":{}},\n{\"queueName\":\"qa\"},{\"zzz\":1}]}",
			[]string{
				"f.json:2:14: children[0].dta: is not one of queue, name, data, opts, children, did you mean data?",
				"f.json:3:2: children[1].queueName: is not one of queue, name, data, opts, children, did you mean queue?",
				"f.json:3:21: children[2].zzz: is not one of queue, name, data, opts, children",
			},
		},
		{"a field twice", "f.json", `{"queue":"a","queue":"b"}`, []string{"f.json:1:14: queue: is there twice"}},
		{"a field twice in YAML", "f.yaml", "queue: a\nqueue: b\n", []string{"f.yaml:2:1: queue: the key is there twice, first in line 1"}},
		{
			"wrong types", "f.json", `{"queue":1,"name":"","opts":[],"children":[1,null,"x"]}`,
			[]string{
				"f.json:1:2: queue: want a text, not a number",
				"f.json:1:12: name: is empty",
				"f.json:1:22: opts: want options by their names, not a list",
				"f.json:1:44: children[0]: want a job with queue, name, data, opts, children, not a number",
				"f.json:1:46: children[1]: want a job with queue, name, data, opts, children, not nothing",
				"f.json:1:51: children[2]: want a job with queue, name, data, opts, children, not a text",
			},
		},
		{"children that are no list", "f.yaml", "children: {queue: a}\n", []string{"f.yaml:1:1: children: want a list of jobs, not a mapping"}},
		{"a cycle", "f.yaml", "&root\nqueue: a\nchildren:\n  - *root\n", []string{"f.yaml:4:5: children[0]: a cycle: *root stands inside the value that it names"}},
		{"an alias of nothing", "f.yaml", "queue: a\nchildren: [*b]\n", []string{"f.yaml:2:12: children[0]: no value has been named &b before this"}},
		{"too many jobs", "f.json", many, []string{"f.json:10:1: children[9]: more than 10 jobs in one flow"}},
		{"too deep", "f.json", deep, []string{"f.json:1:53: children[0].children[0].children[0].children[0]: deeper than 4 generations"}},
		{"a payload too deep", "f.json", `{"data":` + strings.Repeat("[", 513) + strings.Repeat("]", 513) + "}", []string{"f.json:1:2: data: nested deeper than 512"}},
		{"too long", "f.json", strings.Repeat(" ", 1<<20+1), []string{"f.json: more than 1048576 bytes: want a smaller flow"}},
		{"aliases that unfold", "f.yaml", bomb.String(), []string{"f.yaml:7:10: data[4][0]: aliases inside aliases, deeper than 3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadFlow(test.file, []byte(test.text), flowLimits)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) > len(test.want) && strings.Contains(test.name, "unfold") {
				got = got[:1]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of many mistakes the first are told, and how many more there are.
func TestReadFlowTellsTheFirst(t *testing.T) {
	t.Parallel()
	text := `{"children":[` + strings.TrimSuffix(strings.Repeat(`{"x":1,"y":1,"z":1},`, 9), ",") + "]}"
	_, err := ReadFlow("f.json", []byte(text), flowLimits)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != shownFlowProblems+1 || lines[shownFlowProblems] != "f.json: and 17 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// The errors of what a file means have the place as well.
func TestFlowNodeRefuses(t *testing.T) {
	t.Parallel()
	flow, err := ReadFlow("f.json", []byte("{\"children\":[{\n\"data\":{},\n\"opts\":{}}]}"), flowLimits)
	if err != nil {
		t.Fatal(err)
	}
	child := flow.Children[0]
	got := []string{child.Refuse("", "x").Error(), child.Refuse("opts.attempts", "x").Error(), flow.Refuse("queue", "x").Error()}
	for _, err := range child.RefuseData(&SchemaError{Problems: []Problem{{"$.ticketId", "required"}, {"$", "type"}}}) {
		got = append(got, err.Error())
	}
	want := []string{
		"f.json:1:14: children[0]: x", "f.json:3:1: children[0].opts.attempts: x", "f.json:1:1: queue: x",
		"f.json:2:1: children[0].data.ticketId: required", "f.json:2:1: children[0].data: type",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzReadFlow(f *testing.F) {
	for _, seed := range []string{`{"queue":"a","children":[{"data":{"x":[1]}}]}`, "queue: a\nchildren: [&a {queue: b}, *a]\n", "{", "[", "&a [*a]"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(_ *testing.T, text string, yaml bool) {
		file := "f.json"
		if yaml {
			file = "f.yaml"
		}
		_, _ = ReadFlow(file, []byte(text), flowLimits) // it returns
	})
}
