package interop

import "fmt"

// dedup are options with a deduplication, as Node adds them.
func dedup(window args, more args) args {
	opts := args{"deduplication": args{"id": "d"}}
	for name, value := range window {
		opts["deduplication"].(args)[name] = value
	}
	for name, value := range more {
		opts[name] = value
	}
	return opts
}

// nodeAdds is a job that Node adds before the row begins.
func (q place) nodeAdds(name string, opts args) op {
	return onlyNode("add "+name, "add", on(string(q), args{"name": name, "data": args{"n": name}, "opts": opts}))
}

// rowsOfDeduplication are the cells of the table in wire section 3.4: every option against every state of the first.
func rowsOfDeduplication() []row {
	windows := []struct {
		name   string
		window args
	}{
		{"nothing more", nil},
		{"ttl", args{"ttl": 60_000}},
		{"ttl, extend", args{"ttl": 60_000, "extend": true}},
		{"replace", args{"replace": true}},
		{"replace, ttl", args{"replace": true, "ttl": 60_000}},
		{"replace, ttl, extend", args{"replace": true, "ttl": 60_000, "extend": true}},
		{"keep the last", args{"keepLastIfActive": true}},
		{"keep the last, ttl", args{"keepLastIfActive": true, "ttl": 60_000}},
		{"keep the last, replace", args{"keepLastIfActive": true, "replace": true}},
		{"reschedule", args{"reschedule": true}},
		{"reschedule, ttl, extend", args{"reschedule": true, "ttl": 60_000, "extend": true}},
	}
	later := args{"delay": 5000}
	firsts := []struct {
		name string
		opts args
		then []op
	}{
		{"waits", nil, nil},
		{"has a priority", args{"priority": 2}, nil},
		{"is delayed", later, nil},
		{"is active", nil, []op{mail.take()}},
		{"has completed", nil, []op{mail.take(), mail.done("1")}},
		{"has failed", nil, []op{mail.take(), mail.failed("1")}},
		{"was removed", nil, []op{mail.removes("1", true)}},
		{"is lost", nil, []op{does("DEL", "bull:q:1"), does("LREM", "bull:q:wait", 1, "1")}},
		{"waits in a paused queue", nil, []op{mail.pauses()}},
	}
	var rows []row
	for _, w := range windows {
		rows = append(rows, row{name: "deduplicate alone, " + w.name, wire: "3.4 3.3 8", ops: []op{
			mail.add("a", dedup(w.window, nil)), mail.add("b", dedup(w.window, args{"jobId": "own"})), passes(1000), mail.add("c", dedup(w.window, later)),
		}})
		for _, f := range firsts {
			start := append([]op{mail.nodeAdds("a", dedup(w.window, f.opts))}, f.then...)
			for _, second := range []struct {
				name string
				opts args
			}{{"again", nil}, {"later", args{"delay": 7000}}, {"with a priority", args{"priority": 5}}} {
				r := row{
					name: fmt.Sprintf("deduplicate what %s, %s, %s", f.name, w.name, second.name), wire: "3.4 3.3",
					start: append(start[:len(start):len(start)], passes(1000)), ops: []op{mail.add("b", dedup(w.window, second.opts))},
				}
				r.kept = keptOfWindow(w.window, f.name, second.opts)
				rows = append(rows, r)
			}
		}
	}
	return append(rows, []row{
		{name: "add to a window a second time", wire: "3.4", start: []op{mail.nodeAdds("a", dedup(args{"replace": true}, later))}, ops: []op{
			mail.add("b", dedup(args{"replace": true}, later)), passes(10), mail.add("c", dedup(args{"replace": true}, args{"delay": 9})), mail.add("d", dedup(args{"replace": true}, nil)),
		}},
		{name: "reschedule to the same time", wire: "3.4 5.1", major: 6, start: []op{mail.nodeAdds("a", dedup(nil, later))}, ops: []op{
			mail.add("b", dedup(args{"reschedule": true}, later)), mail.add("c", dedup(args{"reschedule": true}, later)),
		}},
		{name: "a duplicate id before a deduplication", wire: "3.3 3.2", start: []op{mail.add("a", args{"jobId": "own"}), mail.nodeAdds("b", dedup(nil, nil))}, ops: []op{
			mail.add("c", dedup(nil, args{"jobId": "own"})),
		}},
		{name: "deduplicate in one call", wire: "3.4", ops: []op{mail.adds(
			job("a", dedup(nil, nil)), job("b", nil), job("c", dedup(nil, nil)), job("d", args{"priority": 1}), job("e", dedup(args{"ttl": 5000}, nil)),
		)}},
		{name: "end a deduplication", wire: "3.4", start: []op{mail.nodeAdds("a", dedup(nil, nil))}, ops: []op{mail.endsDeduplication(), mail.endsDeduplication(), mail.add("b", dedup(nil, nil))}},
	}...)
}

// keptOfWindow is where version 5 differs from version 6, as which our engine acts.
func keptOfWindow(window args, first string, second args) []kept {
	if first == "is delayed" && window["reschedule"] == true {
		return []kept{{id: "reschedule", major: 5, differs: []string{"q:1#delay", "q:delayed#1", "q:marker#1", "q:events delayed 1"}}}
	}
	if first != "is lost" || window["ttl"] != nil && window["keepLastIfActive"] == nil {
		return nil
	}
	paths := []string{"answer", "q:2#data", "q:2#deid", "q:2#delay", "q:2#name", "q:2#opts", "q:2#priority", "q:2#timestamp", "q:de:d", "q:events added 2"}
	if window["replace"] == nil {
		paths = append(paths, "q:events debounced 1", "q:events deduplicated 1")
	}
	switch {
	case second["delay"] != nil:
		paths = append(paths, "q:delayed#2", "q:marker#1", "q:events delayed 2")
	case second["priority"] != nil:
		paths = append(paths, "q:prioritized#2", "q:pc", "q:events waiting 2")
	default:
		paths = append(paths, "q:wait", "q:events waiting 2")
	}
	return []kept{{id: "lost-windows", major: 5, differs: paths}}
}

func (q place) endsDeduplication() op {
	return op{
		"end the deduplication",
		func(s *stage) any {
			var n int
			if refused := s.ask("removeDeduplicationKey", on(string(q), args{"deduplicationId": "d"}), &n); refused != nil {
				return refused
			}
			return n > 0
		},
		func(s *stage) any {
			removed, err := s.q(string(q)).RemoveDeduplicationKey(s.ctx, "d")
			s.must(err)
			return removed
		},
	}
}

// rowsOfWindows are the ends of deduplication windows, of wire section 3.4.
func rowsOfWindows() []row {
	simple, throttle := dedup(nil, nil), dedup(args{"ttl": 60_000}, nil)
	last := func(more args) []op {
		return []op{
			mail.nodeAdds("a", dedup(args{"keepLastIfActive": true}, args{"attempts": 2})), mail.take(), passes(1000),
			mail.nodeAdds("b", dedup(args{"keepLastIfActive": true}, more)),
		}
	}
	done := []op{mail.done("1")}
	return []row{
		{name: "complete what is deduplicated", wire: "3.4", start: []op{mail.nodeAdds("a", simple), mail.take()}, ops: done},
		{name: "fail what is deduplicated", wire: "3.4", start: []op{mail.nodeAdds("a", simple), mail.take()}, ops: []op{mail.failed("1")}},
		{name: "try again what is deduplicated", wire: "3.4", start: []op{mail.nodeAdds("a", dedup(nil, args{"attempts": 2})), mail.take()}, ops: []op{mail.failed("1")}},
		{name: "complete within a window", wire: "3.4", start: []op{mail.nodeAdds("a", throttle), mail.take()}, ops: done},
		{name: "complete when another has the window", wire: "3.4", start: []op{mail.nodeAdds("a", simple), mail.take(), does("SET", "bull:q:de:d", "7")}, ops: done},
		{name: "complete and forget what is deduplicated", wire: "3.4 4.7", start: []op{mail.nodeAdds("a", dedup(nil, args{"removeOnComplete": true})), mail.take()}, ops: done},
		{name: "remove what is deduplicated", wire: "3.4 4.20", start: []op{mail.nodeAdds("a", simple)}, ops: []op{mail.removes("1", true)}},
		{name: "remove what is deduplicated within a window", wire: "3.4 4.20", start: []op{mail.nodeAdds("a", throttle)}, ops: []op{mail.removes("1", false)}},
		{name: "clean what is deduplicated", wire: "3.4 4.21", start: []op{mail.nodeAdds("a", simple)}, ops: []op{mail.cleans("waiting", 0, 0)}},
		{name: "drain what is deduplicated", wire: "3.4 4.22", start: []op{mail.nodeAdds("a", simple)}, ops: []op{mail.drains(false)}},
		{name: "complete and go on with the last", wire: "3.4", start: last(nil), ops: []op{mail.done("1"), mail.take()}},
		{name: "complete and take the last", wire: "3.4", start: last(nil), ops: []op{mail.ends("1", end{next: true})}},
		{name: "complete and delay the last", wire: "3.4", start: last(args{"delay": 5000}), ops: done},
		{name: "complete and go on with the last by priority", wire: "3.4", start: last(args{"priority": 3}), ops: done},
		{name: "complete and go on with the last in front", wire: "3.4", start: append([]op{mail.nodeAdds("x", nil), mail.take(), mail.done("1"), mail.nodeAdds("y", nil)}, last(args{"lifo": true})...), ops: []op{mail.done("2")}},
		{name: "try again before the last", wire: "3.4", start: last(nil), ops: []op{mail.failed("1")}},
		{name: "fail and go on with the last", wire: "3.4", start: append(last(nil), mail.failed("1"), mail.take()), ops: []op{mail.failed("1")}},
		{name: "remove before the last", wire: "3.4", start: append(last(nil), does("DEL", "bull:q:1:lock")), ops: []op{mail.removes("1", true)}},
	}
}
