package supervisor

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFollowShowsProgressUntilTheLabIsUp(t *testing.T) {
	var wire, shown bytes.Buffer
	reporter := NewReporter(&wire)
	reporter.progress("%s is ready", "etcd")
	if err := reporter.ready(); err != nil {
		t.Fatal(err)
	}
	if err := Follow(&wire, &shown); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(shown.String(), "s  etcd is ready\n") {
		t.Errorf("shown: %q", shown.String())
	}
}

func TestFollowReturnsWhyTheLabDoesNotComeUp(t *testing.T) {
	var wire bytes.Buffer
	if err := NewReporter(&wire).Fail(errors.New("start etcd: no such file")); err != nil {
		t.Fatal(err)
	}
	if err := Follow(&wire, io.Discard); err == nil || err.Error() != "start etcd: no such file" {
		t.Errorf("got %v", err)
	}
	if err := Follow(&wire, io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a lab that ends without a word: got %v", err)
	}
}
