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
	// Commands are its processes, in the order that they are started.
	Commands [][]string
	// ReadyURL answers with 200 once the part is ready, as seen from its host; its certificate is not looked at.
	ReadyURL string
	// ReadyFile is there, on the host, once the part is ready.
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
	if r.running() {
		return nil
	}
	if err := r.start(ctx); err != nil {
		r.signal(syscall.SIGKILL)
		return fmt.Errorf("start %s: %w%s", r.part.Name, err, Tail(r.logPath))
	}
	return nil
}

func (r *Runner) start(ctx context.Context) error {
	view, err := r.host.View()
	if err != nil {
		return err
	}
	if r.part.ReadyFile != "" { // What a run before this one left is no sign.
		if err := os.Remove(r.host.Path(r.part.ReadyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	r.processes = nil
	for _, command := range r.part.Commands {
		process, err := proc.Start(ctx, proc.Spec{Name: command[0], Args: command, LogPath: r.logPath, View: view})
		if err != nil {
			return err
		}
		r.processes = append(r.processes, process)
	}
	return r.awaitReady(ctx)
}

func (r *Runner) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DialContext:       netns.Dial(r.part.Host),
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	ticker := time.NewTicker(readyPeriod)
	defer ticker.Stop()
	for {
		err := r.ready(ctx, client)
		if err == nil {
			return nil
		}
		for _, process := range r.processes {
			select {
			case <-process.Done():
				return fmt.Errorf("%s ended with status %d before it was ready", process.Name(), process.ExitCode())
			default:
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		}
	}
}

func (r *Runner) ready(ctx context.Context, client *http.Client) error {
	if r.part.ReadyFile != "" {
		_, err := os.Stat(r.host.Path(r.part.ReadyFile))
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.part.ReadyURL, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", r.part.ReadyURL, response.Status)
	}
	return nil
}

// Stop ends the part in the ordinary way, the processes in the reverse order. One that does not run is no error.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
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
	r.signal(syscall.SIGKILL)
	return nil
}

// Running says whether all of its processes run.
func (r *Runner) Running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running()
}

func (r *Runner) running() bool {
	for _, process := range r.processes {
		select {
		case <-process.Done():
			return false
		default:
		}
	}
	return len(r.processes) > 0
}

// signal sends a signal to all processes and waits for their end.
func (r *Runner) signal(signal os.Signal) {
	for _, process := range r.processes {
		_ = process.Signal(signal) // A process that can't be reached has ended.
	}
	for _, process := range r.processes {
		<-process.Done()
	}
	r.processes = nil
}
