// Package logging makes the logger of Herald's programs.
package logging

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
)

// Format is how a log record looks.
type Format string

// The formats: a line of key=value pairs for people, a JSON object for programs.
const (
	Text Format = "text"
	JSON Format = "json"
)

// New returns a logger that writes records of a level and above. Level debug shows why decisions fell, debug-4 what is on
// the wire.
func New(w io.Writer, level slog.Level, format Format) (logr.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case Text:
		return logr.FromSlogHandler(slog.NewTextHandler(w, options)), nil
	case JSON:
		return logr.FromSlogHandler(slog.NewJSONHandler(w, options)), nil
	default:
		return logr.Logger{}, fmt.Errorf("log format %q: want %s or %s", format, Text, JSON)
	}
}
