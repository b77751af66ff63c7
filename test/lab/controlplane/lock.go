package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps two builders from building the same: the second waits for the first.
func lock(ctx context.Context, dir string, progress io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	release := func() { _ = file.Close() } // Which unlocks.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for announced := false; ; announced = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return release, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			release()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if !announced {
			fmt.Fprintln(progress, "Waiting for another build of the control plane")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
}
