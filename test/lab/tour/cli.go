package tour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// CLI runs the tour's commands with the lab's own command line.
type CLI struct {
	// Lab is the path of the lab's binary, Dir the directory of the running lab.
	Lab, Dir string
}

// Run implements Runner. Standard output and error come out together, as on a terminal.
func (c CLI) Run(ctx context.Context, command Command) (Result, error) {
	process := exec.CommandContext(ctx, c.Lab, c.args(command)...)
	process.Stdin = strings.NewReader(command.Input)
	var output bytes.Buffer
	process.Stdout, process.Stderr = &output, &output
	err := process.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return Result{Output: output.String(), Status: exit.ExitCode()}, nil
	}
	if err != nil {
		return Result{Output: output.String()}, fmt.Errorf("run %s: %w", quote(command.Argv), err)
	}
	return Result{Output: output.String()}, nil
}

func (c CLI) args(command Command) []string {
	if command.Host == Control {
		return append([]string{"--dir", c.Dir}, command.Argv...)
	}
	return append([]string{"--dir", c.Dir, "exec", command.Host, "--"}, command.Argv...)
}
