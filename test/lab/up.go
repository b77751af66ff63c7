package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/test/lab/sandbox"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/supervisor"
)

// Hidden commands of the lab's program, each followed by the lab's directory.
const (
	// InitCommand makes it the first process of a lab.
	InitCommand = "init"
	// SuperviseCommand makes it the supervisor.
	SuperviseCommand = "supervise"
)

// supervisorLog is the name of the supervisor's log.
const supervisorLog = "supervisor"

// Up starts a lab in the directory and returns when it is up. When it fails, or the context is over before that, nothing
// of the lab runs any more.
func Up(ctx context.Context, dir statedir.Dir, lab statedir.Lab, progress io.Writer) (err error) {
	lock, err := dir.Claim()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := dir.Write(lab); err != nil {
		return err
	}
	first, err := startFirst(ctx, dir, lock)
	if err != nil {
		return fmt.Errorf("start the lab: %w", err)
	}
	err = supervisor.Follow(first.messages, progress)
	if err == nil {
		return first.release()
	}
	first.kill()
	first.wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF):
		text, _ := os.ReadFile(dir.LogPath(supervisorLog))
		return fmt.Errorf("the lab ended before it was up:\n%s", text)
	}
	return err
}

// first is the first process of a lab, as the one that started it sees it.
type first struct {
	cmd      *exec.Cmd
	messages *os.File
	// tether is held by the one that waits for the lab to come up.
	tether *os.File
}

// startFirst starts it. When the context is over before it is released, it is killed.
func startFirst(ctx context.Context, dir statedir.Dir, lock *os.File) (*first, error) {
	messages, sender, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer sender.Close()
	tethered, tether, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer tethered.Close()
	log, err := os.OpenFile(dir.LogPath(supervisorLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := sandbox.Command(ctx, InitCommand, string(dir))
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = tethered, sender, log, []*os.File{lock}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &first{cmd: cmd, messages: messages, tether: tether}
	if err := dir.WriteProcess(cmd.Process.Pid); err != nil {
		f.kill()
		f.wait()
		return nil, err
	}
	return f, nil
}

func (f *first) kill() { _ = f.cmd.Process.Kill() }

func (f *first) wait() { _ = f.cmd.Wait() }

// release lets the lab live on by itself.
func (f *first) release() error {
	return errors.Join(f.cmd.Process.Release(), f.tether.Close(), f.messages.Close())
}

// Init is the first process of a lab. It returns the exit status of the supervisor.
func Init(dir statedir.Dir) (exitCode int, err error) {
	unix.CloseOnExec(statedir.LockFD) // The lock ends with this process, not with a last one of the lab.
	if err := sandbox.Prepare(string(dir)); err != nil {
		return 0, err
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"lab", SuperviseCommand, string(dir)},
		Env: environment(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	return sandbox.Init(cmd)
}

// Supervise is the supervisor of a lab. Its standard output takes messages, its standard input is the tether.
func Supervise(ctx context.Context, dir statedir.Dir) error {
	reporter := supervisor.NewReporter(os.Stdout)
	err := supervisor.Run(ctx, dir, reporter, os.Stdin)
	if err != nil {
		_ = reporter.Fail(err) // Whoever waited may have gone.
	}
	return err
}
