package config

// Source is a layer of the configuration, weakest first.
type Source int

// The layers. A value from a later one replaces a value from an earlier one.
const (
	Builtin Source = iota
	File
	Env
	Flag
)

// Origin says where a value came from. The zero value is the built-in table.
type Origin struct {
	Source Source
	Detail string // file position, variable or flag: "qctl.yaml:14:5", "BULLMQ_PREFIX", "--prefix"
}

// String returns the origin as `config view` shows it.
func (o Origin) String() string {
	switch o.Source {
	case File:
		return o.Detail
	case Env:
		return "env " + o.Detail
	case Flag:
		return "flag " + o.Detail
	default:
		return "built-in"
	}
}
