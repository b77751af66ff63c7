package proc

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// EnterCommand is the first argument of a program that shall enter a view.
const EnterCommand = "enter"

// Exit statuses of Enter, as a shell has them.
const (
	exitCannotEnter = 126
	exitNotFound    = 127
)

// reportFD is the first of exec.Cmd's ExtraFiles.
const reportFD = 3

// entry is what is handed from Start to Enter.
type entry struct {
	View
	Args []string
	// NewProc mounts a /proc for a process id namespace that was just made.
	NewProc bool `json:",omitempty"`
	// ReportFD is where an error is written to; 0 for standard error.
	ReportFD int `json:",omitempty"`
	// TiedToParent ends the process when its parent does.
	TiedToParent bool `json:",omitempty"`
}

func enterArgs(e entry) ([]string, error) {
	text, err := json.Marshal(e)
	return []string{EnterCommand, string(text)}, err
}

// EnterArgs returns the arguments with which a program that calls Enter runs args in the view, for a caller that starts
// it by other means than Start. The process ends with its parent.
func EnterArgs(view View, args []string) ([]string, error) {
	return enterArgs(entry{View: view, Args: args, TiedToParent: true})
}

// Enter returns at once if the program was not started to enter a view. Else it does not return: the process becomes
// the program that it was started for, or reports why not and exits.
func Enter() {
	if len(os.Args) != 3 || os.Args[1] != EnterCommand {
		return
	}
	runtime.LockOSThread() // Namespaces belong to threads; execve(2) keeps those of the thread that calls it.
	var e entry
	err := json.Unmarshal([]byte(os.Args[2]), &e)
	report, code := e.report(), exitCannotEnter
	if err == nil {
		code, err = e.become()
	}
	fmt.Fprintln(report, err)
	os.Exit(code) //nolint:revive // It stands for the main function of another program.
}

// report returns where an error is written to, which execve(2) closes.
func (e entry) report() *os.File {
	if e.ReportFD == 0 {
		return os.Stderr
	}
	unix.CloseOnExec(e.ReportFD)
	return os.NewFile(uintptr(e.ReportFD), "report")
}

// become returns only when it fails.
func (e entry) become() (exitCode int, err error) {
	if e.TiedToParent {
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return exitCannotEnter, fmt.Errorf("ask to end with the parent: %w", err)
		}
	}
	if err := e.enter(); err != nil {
		return exitCannotEnter, err
	}
	path, err := exec.LookPath(e.Args[0])
	if err != nil {
		return exitNotFound, err
	}
	return exitCannotEnter, fmt.Errorf("run %s: %w", path, syscall.Exec(path, e.Args, os.Environ()))
}

func (e entry) enter() error {
	if e.Netns != "" {
		if err := enterNetns(e.Netns); err != nil {
			return err
		}
	}
	if e.Hostname != "" {
		if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("make a namespace for the host name: %w", err)
		}
		if err := unix.Sethostname([]byte(e.Hostname)); err != nil {
			return fmt.Errorf("set the host name to %q: %w", e.Hostname, err)
		}
	}
	if e.NewProc || len(e.Tmpfs)+len(e.Mounts) > 0 {
		if err := e.mount(); err != nil {
			return err
		}
	}
	dir := e.Dir
	if dir == "" {
		dir = "/"
	}
	return os.Chdir(dir)
}

func enterNetns(name string) error {
	fd, err := unix.Open(filepath.Join(NetnsDir, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	return nil
}
