package leadership_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// leaseDuration, renewDeadline and retryPeriod are as short as a busy machine allows.
	leaseDuration, renewDeadline, retryPeriod = 3 * time.Second, 2 * time.Second, 200 * time.Millisecond
	// leading is what a manager logs when it begins to lead. It leads until it ends.
	leading = "Successfully acquired lease"
	// kept is how many of the last lines of a log are shown.
	kept = 60
)

// replica is one of the managers: a process that is started again whenever it ends, as a kubelet would.
type replica struct {
	name    string
	program string
	args    []string

	mu      sync.Mutex
	process *process
	begun   int
	log     []string
}

// starts returns how often the manager was started.
func (r *replica) starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

// process is one run of a replica.
type process struct {
	cmd *exec.Cmd
	// leads is closed when it begins to lead, done when it has ended.
	leads, done chan struct{}
}

// keep keeps the replica running until the test ends.
func (r *replica) keep(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// A process is to end with the test, also when that crashes; the kernel means the thread that started it.
		runtime.LockOSThread()
		for ctx.Err() == nil {
			if err := r.run(ctx); err != nil {
				t.Errorf("%s: %v", r.name, err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", r.name, strings.Join(r.log, "\n"))
		}
	})
}

func (r *replica) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, r.program, r.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("read its log: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a manager: %w", err)
	}
	p := &process{cmd: cmd, leads: make(chan struct{}), done: make(chan struct{})}
	r.mu.Lock()
	r.process, r.begun = p, r.begun+1
	r.mu.Unlock()
	r.follow(stderr, p)
	_ = cmd.Wait() // It ends with an error whenever it stops leading.
	close(p.done)
	return nil
}

// follow reads the log of a process to its end.
func (r *replica) follow(log io.Reader, p *process) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Text()
		r.mu.Lock()
		r.log = append(r.log[max(0, len(r.log)-kept+1):], line)
		r.mu.Unlock()
		if strings.Contains(line, leading) {
			close(p.leads)
		}
	}
}

// current returns the process that runs now, if one does.
func (r *replica) current() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

// isLeading reports whether a process has begun to lead and has not ended.
func (p *process) isLeading() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
	}
	select {
	case <-p.leads:
		return true
	default:
		return false
	}
}

// hasEnded reports whether a process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }
