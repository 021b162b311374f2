// Command qctl works, watches and repairs job queues on Redis.
package main

import (
	"os"
	_ "time/tzdata" // schedules name zones that the machine may not have

	"github.com/qctl/qctl/cmd"
	"github.com/qctl/qctl/internal/iostreams"
)

func main() { os.Exit(cmd.Main(os.Args[1:], iostreams.System())) }
