package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// footprint is what a lab has on the machine, as seen from outside.
type footprint struct {
	dir string
	// namespaces are all that its processes are in and the test is not. They are held open, so that none of a later lab
	// gets one's number.
	namespaces map[string]bool
}

// observe looks at the lab that is up, or comes up, in a directory.
func observe(t *testing.T, dir string) footprint {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	f := footprint{dir: dir, namespaces: map[string]bool{}}
	for _, pid := range descendants(t, strings.TrimSpace(string(text))) {
		links, err := filepath.Glob("/proc/" + pid + "/ns/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			f.hold(t, link)
		}
	}
	return f
}

// hold keeps a namespace open, unless it is the test's own or its process has ended.
func (f footprint) hold(t *testing.T, link string) {
	t.Helper()
	namespace, err := os.Readlink(link)
	if err != nil || f.namespaces[namespace] {
		return
	}
	if own, err := os.Readlink("/proc/self/ns/" + filepath.Base(link)); err != nil || own == namespace {
		return
	}
	file, err := os.Open(link)
	if err != nil {
		return
	}
	t.Cleanup(func() { _ = file.Close() })
	f.namespaces[namespace] = true
}

// left returns the processes that are still in the lab's namespaces, and what is mounted in its directory outside of them.
func (f footprint) left(t *testing.T) []string {
	t.Helper()
	var list []string
	links, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if namespace, err := os.Readlink(link); err == nil && f.namespaces[namespace] {
			list = append(list, link+" is "+namespace)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for mount := range strings.Lines(string(mounts)) {
		if strings.Contains(mount, f.dir) {
			list = append(list, mount)
		}
	}
	return list
}

// descendants returns the ids of a process and of all that it started, and they.
func descendants(t *testing.T, root string) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := map[string][]string{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // It has ended.
		}
		_, rest, _ := strings.Cut(string(text), ") ") // The name before may have anything in it.
		var state, parent string
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil {
			t.Fatal(err)
		}
		children[parent] = append(children[parent], filepath.Base(filepath.Dir(path)))
	}
	list := []string{root}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list
}
