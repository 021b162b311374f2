// Package render turns values into text: tables, pages, JSON, ages, sizes, the
// names of states with their glyphs and colours, and the escaping of foreign
// text. It writes where it is told to and knows of the reader only what
// [Options] say; it reads no clock and no environment.
//
// # Foreign text
//
// Job names, payloads, reasons of failures, queue and worker names and the error
// replies of Redis come from somebody else. What of them reaches a terminal goes
// through [Text], once: cells of a [Table] and everything on a job's page already
// do. JSON keeps the bytes in a pipe; on a terminal the characters that [Text]
// would escape become JSON escapes, which mean the same.
//
// # Two readers
//
// The same call serves people and programs. On a terminal a table is aligned and
// cut to the width, numbers are grouped and times are ages. In a pipe the same
// columns in the same order are separated by tabs and never cut, numbers are
// bare, times are RFC 3339 in UTC, and there is neither glyph nor colour.
package render
