package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	miniserver "github.com/alicebob/miniredis/v2/server"
)

// Sizes of a snapshot's parts.
const (
	perCommand = 500       // elements
	perRecord  = 256 << 10 // bytes, about
)

// errSnapshot is a keyspace that does not answer as it should.
var errSnapshot = errors.New("unexpected reply while writing a snapshot")

// snapshot gives the effects that make an empty keyspace equal to this one, in
// pieces of a size for one record.
func (e *engine) snapshot(write func([]effect) error) (err error) {
	defer e.recover(&err)
	reply, err := e.ask("SCAN", "0")
	if err != nil {
		return err
	}
	page, ok := reply.([]any)
	if !ok || len(page) != 2 {
		return errSnapshot
	}
	keys, err := texts(page[1])
	if err != nil {
		return err
	}
	var part []effect
	size := 0
	for _, key := range keys {
		effects, err := e.dump(key)
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		for _, made := range effects {
			part = append(part, made)
			for _, arg := range made {
				size += len(arg)
			}
			if size >= perRecord {
				if err := write(part); err != nil {
					return err
				}
				part, size = nil, 0
			}
		}
	}
	if len(part) == 0 {
		return nil
	}
	return write(part)
}

// dump gives the effects that make one key.
func (e *engine) dump(key string) ([]effect, error) {
	reply, err := e.ask("TYPE", key)
	if err != nil {
		return nil, err
	}
	var effects []effect
	switch kind, _ := reply.(miniserver.Simple); kind {
	case "string":
		effects, err = e.dumpParts(key, "SET", 1, "GET", key)
	case "hash":
		effects, err = e.dumpParts(key, "HSET", 2*perCommand, "HGETALL", key)
	case "list":
		effects, err = e.dumpParts(key, "RPUSH", perCommand, "LRANGE", key, "0", "-1")
	case "set":
		effects, err = e.dumpParts(key, "SADD", perCommand, "SMEMBERS", key)
	case "zset":
		effects, err = e.dumpParts(key, "ZADD", 2*perCommand, "ZRANGE", key, "0", "-1", "WITHSCORES")
	case "stream":
		effects, err = e.dumpStream(key)
	default:
		return nil, fmt.Errorf("%w: type %q", errSnapshot, kind)
	}
	if err != nil {
		return nil, err
	}
	left, err := e.ask("PTTL", key)
	if err != nil {
		return nil, err
	}
	if at, listed := e.deadlines.at[key]; listed && left != -1 {
		effects = append(effects, expireAt(key, at))
	}
	return effects, nil
}

// dumpParts reads a key by one command and writes it by several of another.
func (e *engine) dumpParts(key, write string, size int, read ...string) ([]effect, error) {
	reply, err := e.ask(read...)
	if err != nil {
		return nil, err
	}
	if text, ok := reply.(string); ok {
		return []effect{{write, key, text}}, nil
	}
	values, err := texts(reply)
	if err != nil {
		return nil, err
	}
	if write == "ZADD" { // the score comes last when it is read, and first when written
		for i := 0; i+1 < len(values); i += 2 {
			values[i], values[i+1] = values[i+1], values[i]
		}
	}
	var effects []effect
	for part := range slices.Chunk(values, size) {
		effects = append(effects, append(effect{write, key}, part...))
	}
	return effects, nil
}

// dumpStream gives the entries of a stream, and has it go on counting where it
// was, also behind entries that are gone.
func (e *engine) dumpStream(key string) ([]effect, error) {
	reply, err := e.ask("XRANGE", key, "-", "+")
	if err != nil {
		return nil, err
	}
	entries, ok := reply.([]any)
	if !ok && reply != nil {
		return nil, errSnapshot
	}
	var effects []effect
	last := ""
	for _, entry := range entries {
		pair, ok := entry.([]any)
		if !ok || len(pair) != 2 {
			return nil, errSnapshot
		}
		id, _ := pair[0].(string)
		fields, err := texts(pair[1])
		if err != nil {
			return nil, err
		}
		effects = append(effects, append(effect{"XADD", key, id}, fields...))
		last = id
	}
	reply, err = e.ask("XINFO", "STREAM", key)
	if err != nil {
		return nil, err
	}
	info, err := texts(reply)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(info); i += 2 {
		if id := info[i+1]; info[i] == "last-generated-id" && id != last && id != "" {
			effects = append(effects, effect{"XADD", key, id, "-", "-"}, effect{"XDEL", key, id})
		}
	}
	return effects, nil
}

// ask reads from miniredis.
func (e *engine) ask(args ...string) (any, error) {
	return miniserver.ParseReply(bufio.NewReader(bytes.NewReader(e.past(nil, args))))
}

// texts reads an array of texts and numbers.
func texts(reply any) ([]string, error) {
	items, ok := reply.([]any)
	if !ok && reply != nil {
		return nil, errSnapshot
	}
	values := make([]string, len(items))
	for i, item := range items {
		switch v := item.(type) {
		case string:
			values[i] = v
		case int:
			values[i] = strconv.Itoa(v)
		default:
			return nil, errSnapshot
		}
	}
	return values, nil
}
