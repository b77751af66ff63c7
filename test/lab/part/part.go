// Package part runs the programs that the lab itself starts on its hosts: the control plane, kube-proxies and routers.
// One that ends is not started again but by command: the lab is there to see what happens then.
package part

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/herald-network/herald/test/lab/host"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/proc"
)

// Part is a program of one or more processes.
type Part struct {
	// Name is what the command line calls it, Host where it runs.
	Name, Host string
	// Processes are started one after the other, each when the one before is ready.
	Processes []Process
}

// Process is one process of a part. It is ready when it gives one of the two signs.
type Process struct {
	Args []string
	// ReadyURL answers with 200, as seen from its host; its certificate is not looked at.
	ReadyURL string
	// ReadyFile is there, on its host.
	ReadyFile string
}

// How long a part may take to become ready, and to end.
const (
	readyTimeout = time.Minute
	readyPeriod  = 50 * time.Millisecond
	stopGrace    = 10 * time.Second
)

// Runner runs a part. Its methods may be called from any goroutine.
type Runner struct {
	part    Part
	host    host.Host
	logPath string

	mu        sync.Mutex
	processes []*proc.Process
	// wanted is set by Start and taken back by Stop and Kill: a part that is wanted and does not run has ended by itself.
	wanted bool
	// paused is set by Pause, for the processes that there are.
	paused bool
}

// NewRunner returns a runner for a part that writes to the log.
func NewRunner(part Part, host host.Host, logPath string) *Runner {
	return &Runner{part: part, host: host, logPath: logPath}
}

// Logs returns the path of the file that has what the part's processes wrote.
func (r *Runner) Logs() ([]string, error) { return []string{r.logPath}, nil }

// Start starts the part and waits until it is ready. One that runs is left alone.
func (r *Runner) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = true
	if r.running() {
		return nil
	}
	return r.start(ctx)
}

// Restart kills the part and starts it again, also one that has ended by itself; one that was stopped or killed by command
// is left alone.
func (r *Runner) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wanted {
		return nil
	}
	r.kill()
	return r.start(ctx)
}

func (r *Runner) start(ctx context.Context) error {
	if err := r.startProcesses(ctx); err != nil {
		r.kill()
		return fmt.Errorf("start %s: %w%s", r.part.Name, err, Tail(r.logPath))
	}
	return nil
}

func (r *Runner) startProcesses(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	view, err := r.host.View()
	if err != nil {
		return err
	}
	r.processes, r.paused = nil, false
	for _, p := range r.part.Processes {
		if p.ReadyFile != "" { // What a run before this one left is no sign.
			if err := os.Remove(r.host.Path(p.ReadyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		process, err := proc.Start(ctx, proc.Spec{Name: p.Args[0], Args: p.Args, LogPath: r.logPath, View: view})
		if err != nil {
			return err
		}
		r.processes = append(r.processes, process)
		if err := r.awaitReady(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady returns when a process is ready, or a process of the part has ended.
func (r *Runner) awaitReady(ctx context.Context, p Process) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext:       netns.Dial(r.part.Host),
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	ticker := time.NewTicker(readyPeriod)
	defer ticker.Stop()
	for {
		err := r.ready(ctx, client, p)
		if err == nil {
			return nil
		}
		if ended := r.ended(); ended != nil {
			return fmt.Errorf("%s ended with status %d before it was ready", ended.Name(), ended.ExitCode())
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.Args[0], err)
		}
	}
}

func (r *Runner) ready(ctx context.Context, client *http.Client, p Process) error {
	if p.ReadyFile != "" {
		_, err := os.Stat(r.host.Path(p.ReadyFile))
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ReadyURL, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", p.ReadyURL, response.Status)
	}
	return nil
}

// Stop ends the part in the ordinary way, the processes in the reverse order. One that does not run is no error.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = false
	errs := []error{r.resume()} // One that is paused can't end in the ordinary way.
	for _, process := range slices.Backward(r.processes) {
		errs = append(errs, process.Stop(ctx, stopGrace))
	}
	r.processes = nil
	return errors.Join(errs...)
}

// Kill ends all processes of the part at once. One that does not run is an error.
func (r *Runner) Kill(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running() {
		return fmt.Errorf("%s does not run", r.part.Name)
	}
	r.wanted = false
	r.kill()
	return nil
}

// Pause stops all processes of the part where they are, until Resume. One that does not run is an error.
func (r *Runner) Pause(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running() {
		return fmt.Errorf("%s does not run", r.part.Name)
	}
	r.paused = true
	return r.tell(syscall.SIGSTOP)
}

// Resume ends what Pause began. One that does not run is an error, one that is not paused is left alone.
func (r *Runner) Resume(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running() {
		return fmt.Errorf("%s does not run", r.part.Name)
	}
	return r.resume()
}

func (r *Runner) resume() error {
	if !r.paused {
		return nil
	}
	r.paused = false
	return r.tell(syscall.SIGCONT)
}

// Paused says whether it runs and is paused.
func (r *Runner) Paused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused && r.running()
}

// Running says whether all of its processes run.
func (r *Runner) Running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running()
}

func (r *Runner) running() bool { return len(r.processes) > 0 && r.ended() == nil }

// ended returns a process that has ended; nil if all run.
func (r *Runner) ended() *proc.Process {
	for _, process := range r.processes {
		select {
		case <-process.Done():
			return process
		default:
		}
	}
	return nil
}

// tell sends a signal to all processes.
func (r *Runner) tell(signal os.Signal) error {
	var errs []error
	for _, process := range r.processes {
		errs = append(errs, process.Signal(signal))
	}
	return errors.Join(errs...)
}

// kill kills all processes and waits for their end.
func (r *Runner) kill() {
	_ = r.tell(syscall.SIGKILL) // A process that can't be reached has ended.
	for _, process := range r.processes {
		<-process.Done()
	}
	r.processes = nil
}
