// Command lab builds a whole rack on one machine out of network namespaces and real parts, with Herald in it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/herald-network/herald/test/lab"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/statedir"
)

func main() {
	proc.Enter()
	if len(os.Args) == 3 && os.Args[1] == lab.InitCommand {
		os.Exit(runInit(statedir.Dir(os.Args[2])))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func runInit(dir statedir.Dir) (exitCode int) {
	exitCode, err := lab.Init(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return exitCode
}
