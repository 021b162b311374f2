package config

import (
	"errors"
	"path"
	"strings"
	"time"
)

// OutputFormats are the words that defaults.output and QCTL_OUTPUT take; every one is a format
// of the command line.
func OutputFormats() []string {
	return []string{"table", "wide", "json", "ndjson", "yaml", "csv", "name"}
}

// fileShape is the whole file.
func fileShape() shape {
	contexts := shape{kind: mapKind, doc: "Named connections, chosen by --context, QCTL_CONTEXT or the key context.", keyCheck: checkAlias("context")}
	context := object("A connection and how careful to be with it.", append(connectionKeys(),
		key{"prefix", text("Prefix of the queues that have none of their own.").checked(prefixRule)})...)
	contexts.of = &context
	queues := shape{kind: mapKind, doc: "Queues by alias. Built-in queues keep what is not set here; null takes one away.", keyCheck: checkAlias("alias")}
	queue := queueShape().orNull()
	queues.of = &queue
	keys := []key{
		{"version", integer("Version of this format.", 1, 1)},
		{"context", text("The context that is used when none is chosen.")},
	}
	keys = append(keys, connectionKeys()...)
	keys = append(keys,
		key{"contexts", contexts},
		key{"defaults", object("Defaults of the command line.",
			key{"prefix", text("Prefix of the queues that have none of their own.").checked(prefixRule)},
			key{"output", oneWordOf("Output format.", OutputFormats()...)},
			key{"color", oneWordOf("Whether to use colours.", "auto", "always", "never")},
			key{"timeout", duration("Give up after this time; 0 is never.", 0)},
		)},
		key{"queues", queues},
		key{"schedules", listOf("Declared job schedules.", scheduleShape(), 0)},
		key{"workforce0", workforce0Shape()},
	)
	return object("Configuration of qctl.", keys...)
}

// connectionKeys stand at the top of the file and in each context.
func connectionKeys() []key {
	fileName := func(doc string) shape { return text(doc + " Relative names start at this file's folder.") }
	return []key{
		{"redis", object("How to reach Redis.",
			key{"url", address("redis://, rediss:// or unix:// address, several with commas; or env:NAME.")},
			key{"urlFile", fileName("File that holds the URL.")},
			key{"username", text("User of Redis' access control.")},
			key{"password", secret("Password; better env:NAME or passwordFile.")},
			key{"passwordFile", fileName("File that holds the password.")},
			key{"db", integer("Database.", 0, 1<<31-1)},
			key{"sentinel", object("Sentinels: the URL lists them.",
				key{"name", text("Name that the sentinels know the primary by.")},
				key{"password", secret("Password of the sentinels themselves.")},
				key{"passwordFile", fileName("File that holds it.")},
			).requires("name")},
			key{"cluster", boolean("The URL lists nodes of a Redis Cluster.")},
			key{"tls", object("Settings of rediss:// connections.",
				key{"caFile", fileName("PEM file of the authorities to trust.")},
				key{"certFile", fileName("PEM file of the client's certificate.")},
				key{"keyFile", fileName("PEM file of its key.")},
				key{"serverName", text("Name in the server's certificate.")},
				key{"insecure", boolean("Accept any certificate.")},
			)},
			key{"dialTimeout", duration("Time to make a connection.", time.Millisecond)},
			key{"readTimeout", duration("Time to wait for a reply.", time.Millisecond)},
			key{"writeTimeout", duration("Time to send a command.", time.Millisecond)},
			key{"poolSize", integer("Connections per server.", 1, 10000)},
		)},
		{"readOnly", boolean("Refuse every change before it is sent.")},
		{"protected", listOf("Queues whose jobs are only removed after the queue's name was typed, and that are not paused without a question: QUEUE or a pattern such as *.", text("").checked(patternRule), 0)},
	}
}

func queueShape() shape {
	return object("One queue: where it lies and how its jobs run.",
		key{"name", text("Name in Redis; the alias if left out.").checked(partRule("queue name"))},
		key{"prefix", text("Prefix of its keys.").checked(prefixRule)},
		key{"role", text("What @role selects.").checked(checkAlias("role"))},
		key{"concurrency", integer("Jobs run at once by one worker process.", MinConcurrency, MaxConcurrency)},
		key{"limiter", object("At most max jobs start within duration, over all workers; null is no limit.",
			key{"max", integer("Jobs.", 1, maxRate)},
			key{"duration", duration("Time.", time.Millisecond)}).orNull()},
		key{"attempts", integer("Runs before a job fails for good.", 1, 1<<31-1)},
		key{"backoff", backoffShape()},
		key{"timeout", duration("Time of one run; 0 is without limit.", 0)},
		key{"lockDuration", duration("Time that a worker may be silent before its job counts as stalled.", 100*time.Millisecond)},
		key{"stalledInterval", duration("Time between looks for stalled jobs.", 100*time.Millisecond)},
		key{"maxStalledCount", integer("Stalls after which a job fails for good.", 1, 1<<31-1)},
		key{"keep", keepShape()},
		key{"priority", object("The scale of priorities that people type.",
			key{"order", oneWordOf("Which end runs first.", string(HigherFirst), string(LowerFirst))},
			key{"min", integer("Least number.", 0, MaxWirePriority)},
			key{"max", integer("Greatest number.", 0, MaxWirePriority)},
			key{"default", integer("Where none is given.", 0, MaxWirePriority)})},
		key{"schema", text("JSON Schema of the payload: builtin:NAME or a file; null is any payload.").orNull().checked(schemaRule)},
		key{"handler", handlerShape()},
		key{"record", object("The row in Postgres that a job points at.",
			key{"postgres", address("Connection; better env:NAME.")},
			key{"query", text("Selects the row, with $1 for the first argument.")},
			key{"args", listOf("Arguments of the query, such as data.queueId.", text(""), 0)},
			key{"done", text("Condition on the row: the job is done already.")},
			key{"onCompleted", text("Statement after the job has completed.")},
			key{"onFailed", text("Statement after the job has failed for good.")}).requires("postgres", "query")},
		key{"onFailed", object("What happens when a job has failed for good.",
			key{"enqueue", text("QUEUE that gets a job about it.")},
			key{"program", listOf("Program and arguments.", text(""), 1)},
			key{"http", httpShape()}).oneOf("enqueue", "program", "http")},
	)
}

func backoffShape() shape {
	return object("Delay between attempts.",
		key{"type", oneWordOf("How the delay grows.", BackoffExponential, BackoffFixed)},
		key{"delay", duration("The first delay.", 0)},
		key{"jitter", shape{kind: numberKind, doc: "Share of the delay that is random.", most: 1}})
}

func keepShape() shape {
	retention := func(doc string) shape {
		return object(doc,
			key{"age", duration("Keep them for this time; 0 is without limit.", 0)},
			key{"count", integer("Keep this many; 0 is without limit.", 0, 1<<31-1)})
	}
	return object("Finished jobs that stay in Redis.",
		key{"completed", retention("Completed jobs.")}, key{"failed", retention("Failed jobs.")})
}

func handlerShape() shape {
	return object("What runs the jobs.",
		key{"program", listOf("Program and arguments, started for each job.", text(""), 1)},
		key{"stdio", listOf("Program and arguments, kept running.", text(""), 1)},
		key{"http", httpShape()},
		key{"smtp", object("Sends mail.",
			key{"url", address("smtp:// or smtps:// address, or env:NAME.")},
			key{"from", text("Sender.")}).requires("url")},
		key{"env", listOf("Variables that the program gets.", text("").checked(variableRule), 0)},
	).oneOf("program", "stdio", "http", "smtp")
}

func httpShape() shape {
	return object("Posts the job.",
		key{"url", address("http:// or https:// address, or env:NAME.")},
		key{"secret", secret("Signs the requests; better env:NAME.")},
		key{"timeout", duration("Time of one request.", time.Millisecond)}).requires("url")
}

func prefixRule(value string) error {
	if err := checkPrefix(value); err != nil {
		return err
	}
	return nil
}

// partRule accepts every name that may exist in Redis, colons included.
func partRule(what string) func(string) error {
	return func(value string) error {
		if err := checkPart(what, value); err != nil {
			return err
		}
		return nil
	}
}

// checkAlias refuses names that would be read as something else.
func checkAlias(what string) func(string) error {
	return func(value string) error {
		if err := ValidateName(value); err != nil {
			if refused, ok := errors.AsType[*ValueError](err); ok {
				refused.What = what
			}
			return err
		}
		if strings.HasPrefix(value, "@") || strings.HasPrefix(value, "-") {
			return &ValueError{What: what, Value: value, Want: "begins with neither @ nor -"}
		}
		return nil
	}
}

// patternRule refuses patterns that match nothing: a queue would seem to be
// protected and not be.
func patternRule(value string) error {
	if _, err := path.Match(value, ""); err != nil {
		return &ValueError{What: "pattern", Value: value, Want: "a [ without its ], or a backslash at the end"}
	}
	return nil
}

func schemaRule(value string) error {
	if !isSchemaFile(value) {
		_, err := BuiltinSchema(value)
		return err
	}
	return nil
}

func variableRule(value string) error {
	if !isVariable(value) {
		return &ValueError{What: "variable", Value: value, Want: "want the name of an environment variable"}
	}
	return nil
}
