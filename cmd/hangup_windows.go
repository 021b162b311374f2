package cmd

// hangups returns a channel that never gets a value: there is no SIGHUP.
func hangups(bool) (signals <-chan struct{}, stop func()) { return nil, func() {} }
