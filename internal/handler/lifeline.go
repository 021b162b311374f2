package handler

// lifelineArg is the hidden first argument that makes this binary a lifeline.
const lifelineArg = "__lifeline"

// What a lifeline and its worker say to each other, a byte at a time.
const (
	sayReady byte = 'r' // lifeline: signals can no longer end me
	sayClear byte = 'c' // worker: kill what is left; lifeline: done
)

// RunLifeline runs the lifeline when args, the command line without the
// program's name, ask for one, and returns its exit code. The main function
// must call it before anything else, and exit when handled is true.
func RunLifeline(args []string) (code int, handled bool) {
	if len(args) == 0 || args[0] != lifelineArg {
		return 0, false
	}
	return runLifeline(), true
}
