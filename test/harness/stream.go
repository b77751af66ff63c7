package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// stream is a probe that runs on a host of the lab.
type stream struct {
	name   string
	cancel context.CancelFunc
	// done is closed when the probe has ended; err says why, where it should not have.
	done chan struct{}
	err  error
}

// start starts a probe and calls take, from one goroutine, for each line that it writes.
func start[T any](lab *Lab, host string, argv []string, take func(T)) (*stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	process := lab.command(ctx, append([]string{"exec", host, "--", lab.binaries.Probe}, argv...)...)
	var complaint bytes.Buffer
	process.Stderr = &complaint
	output, err := process.StdoutPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start the probe on %s: %w", host, err)
	}
	s := &stream{name: host + ": probe " + strings.Join(argv, " "), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer cancel()
		err := errors.Join(decode(output, take), process.Wait())
		if ctx.Err() == nil { // Else it was stopped.
			s.err = fmt.Errorf("%s ended: %w: %s", s.name, err, complaint.String())
		}
	}()
	return s, nil
}

func decode[T any](lines io.Reader, take func(T)) error {
	decoder := json.NewDecoder(lines)
	for {
		var record T
		if err := decoder.Decode(&record); err != nil {
			return err
		}
		take(record)
	}
}

// stop ends the probe and returns an error if it had ended before.
func (s *stream) stop() error {
	s.cancel()
	<-s.done
	return s.err
}
