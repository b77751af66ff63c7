// Package control is how the command line talks to a running lab: HTTP on a Unix socket in the lab's directory.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Verb is what a lab does on command.
type Verb string

// The verbs. All take a name: Start, Stop, Kill, Pause, Resume and Logs that of a part or of pods, Cut and Mend that of a host,
// Pod that of pods. Status takes none. Logs answers with paths of files, Pod with the id of the pod's process in the lab's
// namespace.
const (
	Start  Verb = "start"
	Stop   Verb = "stop"
	Kill   Verb = "kill"
	Pause  Verb = "pause"
	Resume Verb = "resume"
	Cut    Verb = "cut"
	Mend   Verb = "mend"
	Logs   Verb = "logs"
	Pod    Verb = "pod"
	Status Verb = "status"
)

// Answer is what a lab answers.
type Answer struct {
	// Error says what failed; empty if nothing did.
	Error string `json:",omitempty"`
	// Paths are the files that Logs asked for.
	Paths []string `json:",omitempty"`
	// PID is the process that Pod asked for.
	PID int `json:",omitempty"`
	// Parts are what Status asked for.
	Parts []PartStatus `json:",omitempty"`
}

// PartStatus says whether a part runs.
type PartStatus struct {
	Name    string
	Running bool
	// Paused is set where a process of one that runs is stopped by Pause.
	Paused bool `json:",omitempty"`
}

// Handler carries out a command.
type Handler func(ctx context.Context, verb Verb, name string) (Answer, error)

// Serve takes commands on the socket until the context is over. Once it does, it calls ready, whose error ends it.
func Serve(ctx context.Context, socket string, handle Handler, ready func() error) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	path, done, err := shortPath(socket)
	if err != nil {
		return err
	}
	defer done()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", socket, err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer, err := handle(r.Context(), Verb(strings.TrimPrefix(r.URL.Path, "/")), r.URL.Query().Get("name"))
			if err != nil {
				answer.Error = err.Error()
			}
			text, err := json.Marshal(answer)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(text) // A caller that went away needs no answer.
		}),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	if err := ready(); err != nil {
		return errors.Join(err, listener.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Call has a lab carry out a command.
func Call(ctx context.Context, socket string, verb Verb, name string) (Answer, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			path, done, err := shortPath(socket)
			if err != nil {
				return nil, err
			}
			defer done()
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	target := url.URL{Scheme: "http", Host: "lab", Path: "/" + string(verb), RawQuery: url.Values{"name": {name}}.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("ask the lab to %s %s: %w", verb, name, errors.Unwrap(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("ask the lab to %s %s: %w", verb, name, err)
	}
	var answer Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		return Answer{}, fmt.Errorf("ask the lab to %s %s: %w", verb, name, err)
	}
	if answer.Error != "" {
		return Answer{}, errors.New(answer.Error)
	}
	return answer, nil
}

// shortPath returns a path of a socket that fits into a socket's address, however long its own is.
func shortPath(socket string) (path string, done func(), err error) {
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket)), func() { _ = dir.Close() }, nil
}
