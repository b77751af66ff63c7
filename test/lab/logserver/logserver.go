// Package logserver serves the logs of a node's pods in the way of a kubelet, for `kubectl logs`.
package logserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Port is where the API server looks for it.
const Port = 10250

// followPeriod is how often a log that is followed is looked at.
const followPeriod = 100 * time.Millisecond

// Find returns the path of a container's log.
type Find func(namespace, pod, container string) (path string, err error)

// Handler serves the logs that find finds.
func Handler(find Find) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		path, err := find(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		options, err := parse(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = write(r.Context(), w, path, options) // The reader went away, or sees that the log ends early.
	})
	return mux
}

// options are what of a log is wanted.
type options struct {
	// tail is the number of lines at the end; -1 for all.
	tail int
	// follow goes on with what is written later.
	follow bool
}

func parse(query url.Values) (options, error) {
	o := options{tail: -1}
	for name, values := range query {
		var err error
		switch name {
		case "tailLines":
			o.tail, err = strconv.Atoi(values[0])
		case "follow":
			o.follow, err = strconv.ParseBool(values[0])
		default:
			err = errors.New("the lab's kubelet does not know it")
		}
		if err != nil {
			return o, fmt.Errorf("%s=%s: %w", name, values[0], err)
		}
	}
	return o, nil
}

func write(ctx context.Context, w http.ResponseWriter, path string, o options) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if o.tail >= 0 {
		if err := skipToTail(file, o.tail); err != nil {
			return err
		}
	}
	if _, err := io.Copy(w, file); err != nil || !o.follow {
		return err
	}
	ticker := time.NewTicker(followPeriod)
	defer ticker.Stop()
	for {
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := io.Copy(w, file); err != nil {
			return err
		}
	}
}

// skipToTail leaves the file at the beginning of its last lines.
func skipToTail(file io.ReadSeeker, lines int) error {
	starts := []int64{0} // Of the last lines and what follows them.
	var offset int64
	for reader := bufio.NewReader(file); ; {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			offset += int64(len(line))
			starts = append(starts, offset)
			starts = starts[max(0, len(starts)-lines-1):]
		}
		if errors.Is(err, io.EOF) {
			_, err = file.Seek(starts[0], io.SeekStart)
			return err
		}
		if err != nil {
			return err
		}
	}
}
