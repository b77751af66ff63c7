package logserver_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-network/herald/test/lab/logserver"
)

// serve serves one log, that of container default/web/nginx, and returns the server's URL and the log's path.
func serve(t *testing.T, text string) (url, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "nginx.log")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(logserver.Handler(func(namespace, pod, container string) (string, error) {
		if namespace+"/"+pod+"/"+container != "default/web/nginx" {
			return "", errors.New("no such container")
		}
		return path, nil
	}))
	t.Cleanup(server.Close)
	return server.URL, path
}

// get calls read with the body of what the URL answers, and returns the status.
func get(t *testing.T, url string, read func(body io.Reader)) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read(response.Body)
	return response.StatusCode
}

// getAll returns all that the URL answers.
func getAll(t *testing.T, url string) (status int, text string) {
	t.Helper()
	status = get(t, url, func(body io.Reader) {
		all, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		text = string(all)
	})
	return status, text
}

func TestTail(t *testing.T) {
	for name, tc := range map[string]struct{ log, query, want string }{
		"all":                  {"a\nb\nc\n", "", "a\nb\nc\n"},
		"last two":             {"a\nb\nc\n", "?tailLines=2", "b\nc\n"},
		"more than there are":  {"a\nb\n", "?tailLines=9", "a\nb\n"},
		"none":                 {"a\nb\n", "?tailLines=0", ""},
		"last one unfinished":  {"a\nb\nc", "?tailLines=2", "b\nc"},
		"of an empty log":      {"", "?tailLines=2", ""},
		"said not to follow":   {"a\n", "?follow=false", "a\n"},
		"one line, no newline": {"a", "?tailLines=1", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, tc.log)
			if _, text := getAll(t, url+"/containerLogs/default/web/nginx"+tc.query); text != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
		})
	}
}

func TestFollowGoesOnWithWhatIsWrittenLater(t *testing.T) {
	url, path := serve(t, "first\n")
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	get(t, url+"/containerLogs/default/web/nginx?follow=true", func(body io.Reader) {
		reader := bufio.NewReader(body)
		if line, err := reader.ReadString('\n'); err != nil || line != "first\n" {
			t.Errorf("got %q, %v", line, err)
		}
		if _, err := log.WriteString("second\n"); err != nil {
			t.Error(err)
		}
		if line, err := reader.ReadString('\n'); err != nil || line != "second\n" {
			t.Errorf("got %q, %v", line, err)
		}
	})
}

func TestWhatCannotBeServedIsRefused(t *testing.T) {
	url, _ := serve(t, "a\n")
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/containerLogs/default/web/other":                 {http.StatusNotFound, "no such container"},
		"/containerLogs/default/web/nginx?previous=true":   {http.StatusBadRequest, "previous=true: the lab's kubelet does not know it"},
		"/containerLogs/default/web/nginx?tailLines=a+few": {http.StatusBadRequest, "tailLines=a few"},
	} {
		if status, text := getAll(t, url+path); status != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: got %d %q", path, status, text)
		}
	}
}
