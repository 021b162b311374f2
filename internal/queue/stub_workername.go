package queue

import "encoding/base64"

// WorkerName is a stand-in until workers.go lands.
func WorkerName(base KeyBase, name string) string {
	n := base.Prefix + ":" + base64.StdEncoding.EncodeToString([]byte(base.Name))
	if name != "" {
		n += ":w:" + name
	}
	return n
}
