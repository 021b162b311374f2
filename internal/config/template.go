package config

import (
	"fmt"
	"strings"
)

// templateHead is what comes before the queues in a new file.
const templateHead = `# yaml-language-server: $schema=./qctl.schema.json
# (qctl config schema > qctl.schema.json lets editors check this file)
#
# Everything is optional. Flags win over environment variables, these win over
# this file, and what it leaves out is built in. "qctl config validate" checks
# it, "qctl config view --origin" shows what is in force and why.
#
# Durations: 250ms 30s 15m 2h 7d. Where a password may stand, env:NAME takes it
# from the environment variable NAME.
version: 1

# redis:
#   url: redis://127.0.0.1:6379       # or env:NAME; $REDIS_URL wins
#   passwordFile: redis-password      # from this file's folder, readable by you alone

# Several servers, chosen by --context NAME, $QCTL_CONTEXT or the key context.
# contexts:
#   prod:
#     redis: {url: "rediss://redis.example.com:6380", username: ops, password: "env:PROD_PASSWORD"}
#     readOnly: true
#     protected: ["*"]                # ask for the queue's name before jobs are removed
# context: prod

# defaults: {prefix: bull, output: table, color: auto, timeout: 0s}

`

const templateTail = `
# schedules:
#   - {queue: digest, id: daily, pattern: "0 7 * * *", tz: Europe/Berlin, name: daily-digest, data: {}}
`

// Template returns a configuration file with the built-in queues, for editing.
// Read without a change it changes no value.
func Template() string {
	var out strings.Builder
	out.WriteString(templateHead)
	out.WriteString("# The built-in queues, by alias. QUEUE: null takes one away.\nqueues:\n")
	c := builtin()
	for i := range c.Queues {
		q := &c.Queues[i]
		if i > 0 {
			out.WriteByte('\n')
		}
		c.writeTemplateQueue(&out, q)
	}
	out.WriteString(templateTail)
	return out.String()
}

func (c *Config) writeTemplateQueue(out *strings.Builder, q *Queue) {
	const indent = "    "
	fmt.Fprintf(out, "  %s:\n", yamlText(q.Alias))
	for _, s := range (viewer{c}).queue(q) {
		value := scalar(s.Value)
		if s.Group != nil {
			value = flow(s.Group)
		}
		line := yamlText(s.Key) + ": " + value
		switch {
		case s.Key == "prefix" && c.follows[q.Alias]:
			// Written out it would no longer follow the default prefix.
			line = "# " + line + "   # the default prefix"
		case s.Key == "limiter" && q.Limiter == nil:
			line = "# limiter: {max: 10, duration: 1s}"
		case s.Key == "concurrency":
			line += "   # $" + concurrencyVariable + variableWord(q.Alias) + " wins"
		}
		out.WriteString(indent + line + "\n")
	}
	out.WriteString(indent + "# handler: {program: [./" + q.Alias + ".sh], env: [DATABASE_URL]}\n")
}
