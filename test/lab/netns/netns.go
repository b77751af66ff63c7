// Package netns makes named network namespaces, as ip-netns(8) has them, and works inside of them.
package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/test/lab/proc"
)

// Create makes a network namespace whose loopback interface is still down.
func Create(name string) error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make network namespace %s: %w", name, err)
		}
		return pin(name)
	})
}

// Name gives the caller's own network namespace a name.
func Name(name string) error { return onThread(func() error { return pin(name) }) }

func pin(name string) error {
	if err := os.MkdirAll(proc.NetnsDir, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(Path(name), os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("name network namespace: %w", err)
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", Path(name), "", unix.MS_BIND, ""); err != nil {
		return errors.Join(fmt.Errorf("name network namespace %s: %w", name, err), os.Remove(Path(name)))
	}
	return nil
}

// Delete takes a namespace's name away; it ends with the last process in it. A name that is gone is no error.
func Delete(name string) error {
	err := unix.Unmount(Path(name), unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unmount network namespace %s: %w", name, err)
	}
	if err := os.Remove(Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	return nil
}

// Do calls fn on a thread that is inside the namespace. Goroutines that fn starts are outside.
func Do(name string, fn func() error) error {
	return onThread(func() error {
		file, err := os.Open(Path(name))
		if err != nil {
			return fmt.Errorf("open network namespace: %w", err)
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return fn()
	})
}

// DialContext is net.Dialer's DialContext from within a namespace.
type DialContext func(ctx context.Context, network, address string) (net.Conn, error)

// Dial returns a function that connects from within the namespace. A host is given by its address: to look a name up
// would take threads that are outside.
func Dial(name string) DialContext {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		if _, err := netip.ParseAddrPort(address); err != nil {
			return nil, err
		}
		err = Do(name, func() error {
			var dialer net.Dialer
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// Path returns the file of a network namespace.
func Path(name string) string { return filepath.Join(proc.NetnsDir, name) }

// onThread calls fn on a thread of its own, which ends with it: its namespace is never seen by other goroutines.
func onThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked, so that the thread ends with the goroutine.
		result <- fn()
	}()
	return <-result
}
