// Package cron reads cron expressions and finds their next run exactly as
// cron-parser 5.10.5 does, the library BullMQ uses. A schedule is shared between
// this program and Node workers, each of which may compute its next run, so
// the two should never disagree: neither on what is a valid expression nor on
// the instant of a run. BullMQ itself comes with earlier versions, 4.9.0 and
// 5.10.3; test/interop compares with those and holds the list of where they
// differ from this one.
//
// # Expressions
//
// An expression has one to six fields. Missing fields are filled in from the
// left with "0 * * * * *"; the empty expression means every minute.
//
//	field         values            also
//	second        0-59
//	minute        0-59
//	hour          0-23
//	day of month  1-31              L (last day)
//	month         1-12, JAN-DEC
//	day of week   0-7, SUN-SAT      nL (last such weekday), n#k (k-th, 1 to 5)
//
// Every field takes * and ? (any value), a-b, lists, and steps: */n, a-b/n and
// a/n, which runs from a to the end of the field. Names may be written in any
// case, 0 and 7 are both Sunday. A step wider than its range leaves the first
// value. The aliases are @yearly, @annually, @monthly, @weekly, @daily,
// @hourly, @minutely, @secondly, @weekdays and @weekends, in lower case.
//
// If day of month and day of week are both restricted, a day matches when
// either does. Only a field that is exactly * or ? is unrestricted: */2 and
// even */1 are restrictions.
//
// Refused are: ranges that wrap around (22-2, FRI-MON), a value named twice in
// one field (5,5 or *,5), empty list items, step 0, n#k together with a list,
// range or step, a lone L as day of week, L-n, W, a year field, @reboot,
// @midnight, @every, days that the given months never have, and a TZ= or
// CRON_TZ= prefix, because the zone of a schedule is kept beside its pattern.
//
// Three things cron-parser takes are refused on purpose. H draws another value
// at every evaluation, so no two processes would agree on the next run. The k
// of n#k must be written in decimal digits (cron-parser takes 0x1, 1e0 and
// even 1.5, which never fires). Expressions longer than [MaxLength] bytes are
// not looked at.
//
// # Clock changes
//
// A run is a time on the wall clock of a zone. Where the clock goes forward, a
// run in the skipped hour happens in the hour after the change, at the same
// minute: 02:30 becomes 03:30. Where it goes back, a run in the repeated hour
// happens the first time only, unless every hour of the day is scheduled: then
// it happens both times.
//
// Both rules apply to changes that lie between the starting point and the run.
// A search that begins after the change has forgotten it: starting at 03:00,
// just after the change, the next "30 2 * * *" is tomorrow's, and starting
// within the repeated hour, "30 1 * * *" is found in it. Zones that change at
// midnight have more such corners: in America/Havana the repeated hour is the
// first of the day, and a run in it usually happens the second time; in
// America/Nuuk the skipped hour is the last of the day, and a run in it is
// usually lost. All this looks odd but is what Node workers compute.
//
// Where a clock changes by anything but an hour, cron-parser can skip an hour,
// run twice or give up with an error, and this package does not follow it: on
// those days a run happens whenever the clock shows its time, which may be
// twice or not at all. Australia/Lord_Howe (half an hour) and Antarctica/Troll
// (two hours) are the only such zones today. Where it changes by an hour, but not
// at a full one, as in Pacific/Chatham, cron-parser leaves out runs of the hour of
// the change or gives up; this package keeps to the rules above.
package cron
