package cmd

import "github.com/spf13/cobra"

// newOutputTopic is the help page about the formats of results.
func newOutputTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "output",
		Short: "How results are printed: formats, columns, jq and templates",
		Long: `Every command that prints results takes -o FORMAT:

  table           for people: aligned on a terminal, with tabs between in a pipe
  wide            a table with every column, not cut
  json            one document: an array for lists, an object for one result
  ndjson          one JSON object per line, written as it is known
  yaml            the JSON document as YAML
  csv             a line of field names, then a line for each row
  name            QUEUE:ID of jobs, the name of queues, one per line
  template=TEXT   a Go template for each row

The default is $QCTL_OUTPUT, else defaults.output of the configuration file, else
table. A default that a command does not have is a table there; one that is typed
is refused with exit code 2. The field names are the same in json, ndjson, yaml,
csv, templates and --jq.

--columns a,b chooses the columns of table, wide and csv, and their order. A name
is a header in any case (created) or a field of the JSON (createdAt);
--columns help lists those of a command.

--jq PROGRAM applies a jq program to the JSON: to the whole document, or with
-o ndjson to each object. Texts are printed as they are, other values as JSON in
a line. The program sees no environment and no files; --timeout ends one that
does not end. With --watch and --follow it works on each object.

A template is applied to each row, which ends in a line feed. What is missing or
null prints nothing. Besides Go's own functions there are

  timeago TIME          how far away a time is: 3m ago
  dur MILLISECONDS      a duration for people: 2h14m
  bytes N               a size for people: 1.5 KiB
  join SEPARATOR LIST   the elements of a list
  json VALUE            a value as JSON
  default TEXT VALUE    TEXT where the value is missing, null or empty
  color NAME VALUE      red, yellow, green, cyan, bold, dim; on a terminal only

A program or template that fails on a result ends the command with exit code 1.

  qctl stats -o csv --columns queue,waiting,failed
  qctl jobs email -o yaml --limit 5
  qctl failed billing -o name | qctl retry billing -
  qctl stats --jq '.[] | select(.failed > 0) | .keyBase'
  qctl jobs email --limit 0 -o ndjson --jq .id
  qctl jobs email -o 'template={{.id}} {{.state}} {{timeago .timestamp}}'
  qctl jobs --columns help`,
	}
}
