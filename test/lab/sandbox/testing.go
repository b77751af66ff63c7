package sandbox

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// insideVariable tells a test binary that it runs in a sandbox.
const insideVariable = "HERALD_LAB_SANDBOX"

// RunTests is for a package's TestMain: it runs the tests inside a sandbox and returns their exit status.
func RunTests(ctx context.Context, m *testing.M) (exitCode int) {
	if os.Getenv(insideVariable) != "" {
		if err := Prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}
	cmd := Command(ctx, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tests in a sandbox:", err)
		return 1
	}
	return 0
}
