// Package tui is the dashboard: which queues need somebody, what is in them,
// why a job failed, and the few changes that one makes while looking.
//
// It asks a [Source] and never learns what is behind it. The model is changed by
// messages alone; every call to the source is a command with a timeout, and its
// answer says what it answers, so that an answer to a screen that has been left
// is dropped. There is one refresh under way at a time, however slow.
//
// # From data to screen
//
// Screens are pure functions from the model to lines, and a line is texts with
// roles. Escape codes exist in the theme alone, which paints the finished frame;
// so whatever a screen does, a frame is never wider or higher than the window.
// Foreign text enters a line through [render.Text] or, on a terminal that shows
// ASCII only, [render.ASCII].
//
// # What is not known
//
// An unknown number is shown as ?, never as 0. When the source does not answer,
// the last data stays, dimmed and dated, changes are refused, and the dashboard
// tries again until it is told to quit.
package tui
