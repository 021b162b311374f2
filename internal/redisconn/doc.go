// Package redisconn turns settings into connections to Redis: a single server,
// a primary found through Sentinel, or a cluster, over TCP, TLS or a Unix
// socket.
//
// # Nothing is sent twice
//
// The clients never repeat a command whose fate they do not know. A connection
// that breaks after a command was written returns the error, once; the caller
// asks the state of the job and decides. Only a cluster's redirections (MOVED,
// ASK) and a replica's refusal to write are followed, because those replies
// prove that nothing ran. Errors of making a connection, the handshake
// included, hold a [net.OpError] of a dial: that is how the engine, which sorts
// all errors into classes, knows that the command was never sent. Optimistic
// transactions (Watch) on a cluster are outside of this promise: go-redis
// repeats those.
//
// # Secrets
//
// URLs and passwords are [Secret]s. No error, log line or format verb shows
// them; [Config.Describe] is what may be printed.
package redisconn
