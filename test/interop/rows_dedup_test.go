package interop

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
