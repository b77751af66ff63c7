package controllers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"k8s.io/client-go/util/workqueue"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/internal/logkey"
)

// fileChanges asks for a reconciliation after every change of a file. It watches the file's directory, since a mounted
// ConfigMap changes by a link in the directory being swapped, while the file itself is never written.
func fileChanges(path string, request reconcile.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		if err := watcher.Add(filepath.Dir(path)); err != nil {
			return fmt.Errorf("watch %s: %w", path, errors.Join(err, watcher.Close()))
		}
		go func() {
			relay(ctx, watcher, func() { queue.Add(request) })
			_ = watcher.Close() // There is nothing left to lose.
		}()
		return nil
	})
}

// relay calls changed for each event until the context ends.
func relay(ctx context.Context, watcher *fsnotify.Watcher, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-watcher.Events:
			changed()
		case err := <-watcher.Errors:
			// Events were lost: what they would have said is in the file.
			logf.FromContext(ctx).Error(err, "Watching a file, events were lost", logkey.File, watcher.WatchList())
			changed()
		}
	}
}
