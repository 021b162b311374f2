// Package config turns flags, the environment and built-in tables into one
// validated Config, and reads the words that people type: queue names,
// durations, times, rates, priorities and payloads.
//
// Values come in layers. Each one carries the [Origin] it came from, and a
// weaker origin never replaces a stronger one, so the layers may be applied in
// any order:
//
//	flag  >  environment  >  file  >  built-in
//
// The file is read by [LoadFrom] in three steps: text to nodes that know their
// lines (yaml.go), nodes against the table of what may be there (shape.go,
// filetable.go), and values into the Config (apply.go). Each step reports all
// that is wrong and goes on with the rest. The JSON Schema of the file is made
// from the same table.
//
// But for that file and the schemas it names, the package touches nothing but
// its arguments: the environment, the clock and the time zone are passed in,
// Redis is never asked. Whether a resolved queue exists is for the caller to
// find out.
//
// Every refusal matches [ErrInvalid], or [ErrSecretExposed]: something was typed
// or set that its author can mend, and nothing has been sent anywhere.
package config
