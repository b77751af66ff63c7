package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mount makes the mounts of a view in a new mount namespace.
func (e entry) mount() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts from the outside: %w", err)
	}
	var tree tree
	if e.NewProc {
		if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("mount /proc: %w", err)
		}
	}
	sources, err := openSources(e.Mounts)
	if err != nil {
		return err
	}
	for _, dir := range e.Tmpfs {
		if err := tree.mountTmpfs(dir); err != nil {
			return err
		}
	}
	for i, m := range e.Mounts {
		if err := tree.bind(m, sources[i]); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
	}
	return nil
}

// openSources picks up what is to be mounted while the tree is still the caller's: a mount may hide another one's source.
func openSources(mounts []Mount) ([]int, error) {
	sources := make([]int, 0, len(mounts))
	for _, m := range mounts {
		fd, err := cloneMount(m.Source)
		if err != nil {
			return nil, fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
		sources = append(sources, fd)
	}
	return sources, nil
}

// cloneMount returns the path, and what is mounted below it, as a mount that is not attached anywhere yet.
func cloneMount(path string) (fd int, err error) {
	return unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
}

// attach attaches what cloneMount returned.
func attach(fd int, target string) error {
	return unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// tree is the file tree of a process while it is made. Mount points that are missing may be made in it without touching
// the machine's file systems: a directory that needs one is first replaced by a tmpfs that mirrors it.
type tree struct {
	// own are the directories below which new entries stay in this view or in what the caller mounted.
	own []string
}

func (t *tree) mountTmpfs(dir string) error {
	dir, err := t.mountPoint(dir, fs.ModeDir)
	if err != nil {
		return fmt.Errorf("mount a tmpfs at %s: %w", dir, err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount a tmpfs at %s: %w", dir, err)
	}
	t.own = append(t.own, dir)
	return nil
}

func (t *tree) bind(m Mount, source int) error {
	kind := fs.FileMode(0)
	var stat unix.Stat_t
	if err := unix.Fstat(source, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		kind = fs.ModeDir
	}
	target, err := t.mountPoint(m.Target, kind)
	if err != nil {
		return err
	}
	if err := attach(source, target); err != nil {
		return err
	}
	if m.ReadOnly {
		if err := unix.MountSetattr(-1, target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make it read-only: %w", err)
		}
	}
	t.own = append(t.own, target)
	return nil
}

// mountPoint returns the path of the target without symbolic links, having made it where it does not exist.
func (t *tree) mountPoint(target string, kind fs.FileMode) (string, error) {
	existing, missing, err := splitExisting(filepath.Clean(target))
	if err != nil {
		return target, err
	}
	path := filepath.Join(existing, missing)
	if missing == "" {
		return path, nil
	}
	if !t.owns(existing) {
		if err := mirror(existing); err != nil {
			return path, fmt.Errorf("mirror %s: %w", existing, err)
		}
		t.own = append(t.own, existing)
	}
	return path, makeMountPoint(path, kind)
}

// makeMountPoint makes a directory, or an empty file for what is not one.
func makeMountPoint(path string, kind fs.FileMode) error {
	if kind.IsDir() {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o644)
}

func (t *tree) owns(path string) bool {
	for _, own := range t.own {
		if path == own || strings.HasPrefix(path, strings.TrimSuffix(own, "/")+"/") {
			return true
		}
	}
	return false
}

// splitExisting splits an absolute path into the part that exists, without symbolic links, and the rest.
func splitExisting(path string) (existing, missing string, err error) {
	for {
		existing, err = filepath.EvalSymlinks(path)
		if !errors.Is(err, fs.ErrNotExist) || path == "/" {
			return existing, missing, err
		}
		missing = filepath.Join(filepath.Base(path), missing)
		path = filepath.Dir(path)
	}
}

// mirror replaces a directory by a tmpfs with the same entries, each bound from the original.
func mirror(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	original, err := openEntries(dir)
	if err != nil {
		return err
	}
	at := dir
	if dir == "/" {
		at = "/tmp" // Any directory serves: the originals are open, and the tmpfs becomes the root.
	}
	options := fmt.Sprintf("mode=%o", info.Mode().Perm())
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return err
	}
	for _, e := range original {
		if err := e.recreate(at); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if dir == "/" {
		return pivot(at)
	}
	return nil
}

// pivot makes a directory the root and drops the old one.
func pivot(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("drop the old root: %w", err)
	}
	return os.Chdir("/")
}

// dirEntry is an entry of a directory that is being mirrored.
type dirEntry struct {
	name string
	mode fs.FileMode
	link string // Where a symbolic link points to.
	fd   int    // What cloneMount returned, for everything else.
}

func openEntries(dir string) ([]dirEntry, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	entries := make([]dirEntry, 0, len(list))
	for _, item := range list {
		e := dirEntry{name: item.Name(), mode: item.Type()}
		path := filepath.Join(dir, e.name)
		if e.mode&fs.ModeSymlink != 0 {
			e.link, err = os.Readlink(path)
		} else {
			e.fd, err = cloneMount(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // Gone since the listing.
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// recreate makes the entry in another directory.
func (e dirEntry) recreate(dir string) error {
	path := filepath.Join(dir, e.name)
	if e.mode&fs.ModeSymlink != 0 {
		return os.Symlink(e.link, path)
	}
	if err := makeMountPoint(path, e.mode); err != nil {
		return err
	}
	return errors.Join(attach(e.fd, path), unix.Close(e.fd))
}
