package part

import (
	"bytes"
	"fmt"
	"os"
)

// tailLines is how much of a log an error carries.
const tailLines = 20

// Tail returns the end of a log, to be appended to an error; nothing for a log that is empty.
func Tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return fmt.Sprintf("\nThe end of %s:\n%s", path, bytes.Join(lines, []byte("\n")))
}
