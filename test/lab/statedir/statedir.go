// Package statedir is the directory of a lab: what lies where in it, and whether a lab runs in it.
//
// The first process of a lab holds a lock on the directory as long as it lives, on a file descriptor with a known number.
// So a lab that runs is told from one that crashed, and its process from another one that has got its id since.
package statedir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/topology"
)

// LockFD is where the first process of a lab holds the lock: it is the first of exec.Cmd's ExtraFiles.
const LockFD = 3

// How long what was killed may take to be gone.
const (
	goneTimeout = 10 * time.Second
	lockPeriod  = 20 * time.Millisecond
)

// Dir is the absolute path of a lab's directory.
type Dir string

// Lab describes a lab, as its directory has it.
type Lab struct {
	topology.Options
	// Daemons are what the top-of-rack routers run, one for each of them.
	Daemons []router.Kind
	// Herald says whether Herald is installed.
	Herald bool
	// Audit says whether the API server notes every request.
	Audit bool
	// Checkout is the root of the source tree that the lab works from.
	Checkout string
	// Binaries are the paths of the control plane's programs by name, Self that of the lab's own, HeraldBinaries the
	// directory with those of Herald's image.
	Binaries       map[string]string
	Self           string
	HeraldBinaries string
}

// Open returns the lab's directory of that path, which need not exist.
func Open(path string) (Dir, error) {
	absolute, err := filepath.Abs(path)
	return Dir(absolute), err
}

// Socket is where the lab takes commands.
func (d Dir) Socket() string { return d.Path("control.sock") }

// LogPath is the log of a part by its name on the command line.
func (d Dir) LogPath(name string) string {
	return d.Path("logs", strings.ReplaceAll(name, "/", "_")+".log")
}

// AuditLog is where the API server of a lab with Audit notes every request, as lines of JSON.
func (d Dir) AuditLog() string { return d.LogPath("audit") }

// Images has a directory for each version of Herald's image that was loaded, by its tag.
func (d Dir) Images() string { return d.Path("images") }

// KubectlEnv is the environment with which kubectl is an administrator's, and keeps what it learns in the directory.
func (d Dir) KubectlEnv() []string {
	return []string{"KUBECONFIG=" + d.Kubeconfig(), "KUBECACHEDIR=" + d.Path("kube-cache")}
}

// Kubeconfig is the kubeconfig of an administrator, who reaches the API server from any host of the rack.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// Path returns a path in the directory.
func (d Dir) Path(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// Claim makes the directory for a new lab and locks it. The lock lasts until the file, and what inherited it, is closed. A
// directory that a lab runs in, or that has something else in it, is an error; what a crashed lab left in it is removed.
func (d Dir) Claim() (*os.File, error) {
	if err := d.refuseForeign(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.Path("logs"), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(d.Path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("a lab is already up in %s: `lab down` ends it", d)
	}
	if err == nil {
		err = d.clear()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// refuseForeign returns an error for a directory that is not a lab's.
func (d Dir) refuseForeign() error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(d.Path("lock")); err != nil {
		return fmt.Errorf("%s has other files in it: a lab takes a new or an empty directory", d)
	}
	return nil
}

// clear removes all but the lock and the directory of logs, which are there for whoever comes next.
func (d Dir) clear() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if entry.Name() != "lock" {
			errs = append(errs, os.RemoveAll(d.Path(entry.Name())))
		}
	}
	return errors.Join(append(errs, os.Mkdir(d.Path("logs"), 0o755))...)
}

// Write notes what lab is in the directory.
func (d Dir) Write(lab Lab) error {
	text, err := json.MarshalIndent(lab, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(d.Path("lab.json"), append(text, '\n'), 0o644)
}

// Read returns what lab is in the directory.
func (d Dir) Read() (Lab, error) {
	var lab Lab
	text, err := os.ReadFile(d.Path("lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return lab, d.notUp()
	}
	if err != nil {
		return lab, err
	}
	if err := json.Unmarshal(text, &lab); err != nil {
		return lab, fmt.Errorf("read %s: %w", d.Path("lab.json"), err)
	}
	return lab, nil
}

func (d Dir) notUp() error { return fmt.Errorf("no lab is up in %s: `lab up` starts one", d) }

// WriteProcess notes the process id of the lab's first process.
func (d Dir) WriteProcess(pid int) error {
	return os.WriteFile(d.Path("pid"), []byte(strconv.Itoa(pid)+"\n"), 0o644)
}

// Process returns the process id of the lab's first process, or an error if the lab is not up.
func (d Dir) Process() (pid int, err error) {
	text, err := os.ReadFile(d.Path("pid"))
	if err != nil {
		return 0, d.notUp()
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", d.Path("pid"), err)
	}
	if !d.isLockedBy(pid) {
		return 0, d.notUp()
	}
	return pid, nil
}

// isLockedBy says whether a process has this directory's lock open where a lab's first process has it.
func (d Dir) isLockedBy(pid int) bool {
	held, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, LockFD))
	if err != nil {
		return false
	}
	lock, err := os.Stat(d.Path("lock"))
	return err == nil && os.SameFile(held, lock)
}

// Remove ends the lab, if one is up, and removes the directory. Without a lab there is nothing to do.
func (d Dir) Remove(ctx context.Context) error {
	if err := d.refuseForeign(); err != nil {
		return err
	}
	lock, err := os.OpenFile(d.Path("lock"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if pid, err := d.Process(); err == nil {
		if err := d.kill(ctx, pid); err != nil {
			return fmt.Errorf("end the lab in %s: %w", d, err)
		}
	}
	if err := awaitLock(ctx, lock); err != nil {
		return fmt.Errorf("wait for the end of the lab in %s: %w", d, err)
	}
	return os.RemoveAll(string(d))
}

// kill ends the first process of a lab, and so all others, and waits until they are gone.
func (d Dir) kill(ctx context.Context, pid int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(process)
	if !d.isLockedBy(pid) {
		return nil // It went meanwhile, and its id may be another's already.
	}
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for deadline := time.Now().Add(goneTimeout); time.Now().Before(deadline) && ctx.Err() == nil; {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, int(lockPeriod.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if ready > 0 {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("process %d is still there", pid), ctx.Err())
}

func awaitLock(ctx context.Context, lock *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	ticker := time.NewTicker(lockPeriod)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
