package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a process that was started. Its methods may be called from any goroutine.
type Process struct {
	name  string
	cmd   *exec.Cmd
	done  chan struct{}
	state *os.ProcessState
}

// Start starts a process and returns once the program itself runs; a namespace, mount or program that is missing is an
// error of Start. The context bounds the start only: a process that was started outlives it.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	cmd, report, err := command(spec)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer report.Close()
	p := &Process{name: spec.Name, cmd: cmd, done: make(chan struct{})}
	go p.wait()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	trouble, err := io.ReadAll(report) // Ends when execve(2) closes the other side, or with the process.
	if err == nil && len(trouble) > 0 {
		err = errors.New(strings.TrimSpace(string(trouble)))
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = cmd.Process.Kill()
		<-p.done
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return p, nil
}

// command starts this program as the one that enters the view, and returns the pipe on which it reports a failure.
func command(spec Spec) (*exec.Cmd, *os.File, error) {
	log, err := openLog(spec.LogPath)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	report, reporter, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer reporter.Close()
	args, err := enterArgs(entry{View: spec.View, Args: spec.Args, NewProc: spec.NewPID, ReportFD: reportFD})
	if err != nil {
		return nil, nil, errors.Join(err, report.Close())
	}
	cmd := &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       append([]string{"lab"}, args...),
		Env:        spec.Env,
		Stdout:     log,
		Stderr:     log,
		ExtraFiles: []*os.File{reporter},
	}
	if spec.NewPID {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, report.Close())
	}
	return cmd, report, nil
}

func openLog(path string) (*os.File, error) {
	if path == "" {
		path = os.DevNull
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
}

func (p *Process) wait() {
	defer close(p.done)
	_ = p.cmd.Wait() // What it says is in the state, too.
	p.state = p.cmd.ProcessState
}

// Name returns the name that the process was started with.
func (p *Process) Name() string { return p.name }

// Pid returns the process id in the caller's process id namespace.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State waits for the end of the process and returns how it ended.
func (p *Process) State() *os.ProcessState {
	<-p.done
	return p.state
}

// ExitCode waits for the end of the process and returns its exit status, as a shell counts: 128 and the signal's number
// where a signal ended it.
func (p *Process) ExitCode() int {
	state := p.State()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// Signal sends a signal to the process; one that has ended is no error.
func (p *Process) Signal(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", signal, p.name, err)
	}
	return nil
}

// Stop sends SIGTERM and, when the process has not ended after the grace period or the context is over, SIGKILL. It
// returns when the process has ended.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}
