package volume_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/kubelet/volume"
)

func file(path, data string) podplan.File {
	return podplan.File{Path: path, Data: []byte(data), Mode: 0o640}
}

// contents returns what a reader of the volume finds, by path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	var walk func(string)
	walk = func(sub string) {
		list, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			path := filepath.Join(sub, e.Name())
			info, err := os.Stat(filepath.Join(dir, path))
			switch {
			case strings.HasPrefix(e.Name(), ".."):
			case err != nil:
				t.Fatal(err)
			case info.IsDir():
				walk(path)
			default:
				data, err := os.ReadFile(filepath.Join(dir, path))
				if err != nil {
					t.Fatal(err)
				}
				found[path] = string(data)
			}
		}
	}
	walk("")
	return found
}

func TestVolumeHoldsExactlyWhatWasWrittenLast(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volume")
	for _, step := range []map[string]string{
		{"a": "1", "b": "2"},
		{"a": "1", "sub/c": "3", "sub/d": "4"},
		{"a": "changed", "sub/c": "3"},
		{},
		{"a": "1"},
	} {
		var files []podplan.File
		for path, data := range step {
			files = append(files, file(path, data))
		}
		if err := volume.Write(dir, files); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step, contents(t, dir)); diff != "" {
			t.Errorf("after writing %v (-want +got):\n%s", step, diff)
		}
	}
}

func TestOldContentIsRemovedAndUnchangedContentIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	write := func(data string) (generation string) {
		t.Helper()
		if err := volume.Write(dir, []podplan.File{file("key", data)}); err != nil {
			t.Fatal(err)
		}
		target, err := os.Readlink(filepath.Join(dir, "..data"))
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	first := write("1")
	if again := write("1"); again != first {
		t.Errorf("the same content was written again: %s, then %s", first, again)
	}
	if second := write("2"); second == first {
		t.Error("other content was not written")
	}
	if _, err := os.Stat(filepath.Join(dir, first)); !os.IsNotExist(err) {
		t.Errorf("the old content is still there: %v", err)
	}
}

func TestFilesHaveTheirMode(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o600, 0o444} {
		f := file("key", "value")
		f.Mode = mode
		if err := volume.Write(dir, []podplan.File{f}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "key"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("mode is %v, want %v", info.Mode(), mode)
		}
	}
}
