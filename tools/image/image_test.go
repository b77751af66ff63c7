package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

const checkout = "../.."

var (
	// ours is the release that the tests build, once: it takes minutes where nothing is compiled yet.
	ours = release{
		version: "v9.8.7",
		commit:  "0123456789abcdef0123456789abcdef01234567",
		date:    time.Date(2026, time.November, 24, 23, 33, 12, 0, time.UTC),
	}
	scratch   string
	unpacking sync.Mutex
	once      = sync.OnceValue(func() error {
		return build(context.Background(), checkout, ours, filepath.Join(scratch, "image"), filepath.Join(scratch, "sbom.cdx.json"))
	})
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "herald-image-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}())
}

// theImage returns the paths of the image that the tests look into, and of its list.
func theImage(t *testing.T) (layoutPath, sbomPath string) {
	t.Helper()
	if err := once(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scratch, "image"), filepath.Join(scratch, "sbom.cdx.json")
}

func imagesOf(t *testing.T, layoutPath string) []onPlatform {
	t.Helper()
	s, err := readLayout(layoutPath)
	if err != nil {
		t.Fatal(err)
	}
	images, err := s.byPlatform()
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// unpacked returns a directory with the image's files for a platform, which all tests share.
func unpacked(t *testing.T, platform string) string {
	t.Helper()
	layoutPath, _ := theImage(t)
	unpacking.Lock()
	defer unpacking.Unlock()
	dir := filepath.Join(scratch, platform)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := unpack(layoutPath, dir, platform); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImageIsForBothPlatforms(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	var have []string
	for _, image := range imagesOf(t, layoutPath) {
		have = append(have, image.platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(have, want) {
		t.Errorf("the image is for %v, want %v", have, want)
	}
}

func TestImageSaysHowItRuns(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	for _, image := range imagesOf(t, layoutPath) {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.OS != image.platform.OS || config.Architecture != image.platform.Architecture {
			t.Errorf("for %s: the image says that it is for %s/%s", image.platform, config.OS, config.Architecture)
		}
		if config.Config.User != "65532:65532" {
			t.Errorf("for %s: the user is %q: not what the Deployment runs it as", image.platform, config.Config.User)
		}
		if !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) {
			t.Errorf("for %s: the entry point is %q, want /manager", image.platform, config.Config.Entrypoint)
		}
		if !config.Created.Equal(ours.date) {
			t.Errorf("for %s: created at %s, want the commit's date, %s", image.platform, config.Created, ours.date)
		}
	}
}

func TestImageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	want := map[string]string{
		"org.opencontainers.image.title":         "Herald",
		"org.opencontainers.image.description":   "Advertises the addresses of Kubernetes Services to routers over BGP",
		"org.opencontainers.image.url":           "https://github.com/herald-network/herald",
		"org.opencontainers.image.source":        "https://github.com/herald-network/herald",
		"org.opencontainers.image.documentation": "https://github.com/herald-network/herald/tree/v9.8.7/docs",
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.version":       "v9.8.7",
		"org.opencontainers.image.revision":      ours.commit,
		"org.opencontainers.image.created":       "2026-11-24T23:33:12Z",
	}
	for _, image := range imagesOf(t, layoutPath) {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		for place, have := range map[string]map[string]string{"labels": config.Config.Labels, "annotations": manifest.Annotations} {
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("for %s, %s (-want +got):\n%s", image.platform, place, diff)
			}
		}
	}
	s, err := readLayout(layoutPath)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := s.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, manifest.Annotations); diff != "" {
		t.Errorf("annotations of the whole (-want +got):\n%s", diff)
	}
}

// An engine that loads the layout finds one image, under the name that the manifests ask for.
func TestLayoutNamesTheImage(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	text, err := os.ReadFile(filepath.Join(layoutPath, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 1 {
		t.Fatalf("the layout holds %d images", len(index.Manifests))
	}
	want := map[string]string{
		"org.opencontainers.image.ref.name": "v9.8.7",
		"io.containerd.image.name":          "ghcr.io/herald-network/herald:v9.8.7",
	}
	if diff := cmp.Diff(want, index.Manifests[0].Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

func TestImageHoldsTheProgramsAndNothingElse(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for _, image := range imagesOf(t, layoutPath) {
		files, err := contents(image)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range files {
			names = append(names, file.Name)
			if file.FileInfo().Mode() != 0o555 || file.Uid != 0 || file.Gid != 0 {
				t.Errorf("for %s: %s is %s of %d:%d, want one that all may run, and nobody but root replace",
					image.platform, file.Name, file.FileInfo().Mode(), file.Uid, file.Gid)
			}
			if !file.ModTime.Equal(ours.date) {
				t.Errorf("for %s: %s is of %s, want %s", image.platform, file.Name, file.ModTime, ours.date)
			}
		}
		slices.Sort(names)
		if want := []string{"agent", "manager"}; !slices.Equal(names, want) {
			t.Errorf("for %s: the image holds %v, want %v", image.platform, names, want)
		}
		dir := unpacked(t, image.platform.String())
		for _, name := range names {
			requireStatic(t, filepath.Join(dir, name), machines[image.platform.Architecture])
		}
	}
}

// requireStatic holds a program to being for a machine, and to needing no library of the image's.
func requireStatic(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Machine != machine {
		t.Errorf("%s is for %s, want %s", path, program.Machine, machine)
	}
	if program.Section(".interp") != nil {
		t.Errorf("%s needs a dynamic linker, which the image doesn't have", path)
	}
}

func TestImageIsSmall(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	for _, image := range imagesOf(t, layoutPath) {
		size, err := compressedSize(image)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("for %s: %.1f MB", image.platform, float64(size)/1e6)
		if size > 50e6 {
			t.Errorf("for %s: a node fetches %d bytes, want less than 50 MB", image.platform, size)
		}
	}
}

func TestProgramsSayWhichVersionTheyAre(t *testing.T) {
	t.Parallel()
	dir := unpacked(t, "linux/"+runtime.GOARCH)
	for _, program := range programs() {
		output, err := exec.CommandContext(t.Context(), filepath.Join(dir, program), "--version").Output()
		if err != nil {
			t.Fatal(err)
		}
		want := program + " v9.8.7, commit " + ours.commit + " of 2026-11-24T23:33:12Z, " + runtime.Version()
		if !strings.HasPrefix(string(output), want) {
			t.Errorf("%s --version says %q, want %q", program, output, want)
		}
	}
}

func TestListNamesWhatIsInTheImage(t *testing.T) {
	t.Parallel()
	layoutPath, sbomPath := theImage(t)
	list := readList(t, sbomPath)
	s, err := readLayout(layoutPath)
	if err != nil {
		t.Fatal(err)
	}
	if got := (*list.Metadata.Component.Hashes)[0].Value; got != s.digest.Hex {
		t.Errorf("the list is of the image %s, want %s", got, s.digest.Hex)
	}
	components := map[string]cdx.Component{}
	for _, component := range *list.Components {
		components[component.BOMRef] = component
	}
	needs := map[string][]string{}
	for _, dependency := range *list.Dependencies {
		needs[dependency.Ref] = *dependency.Dependencies
	}

	// The engine's version is the one that the product asks for, and the agent is what has it, on every platform.
	module, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	engine := "pkg:golang/github.com/osrg/gobgp/v3@" + regexp.MustCompile(`osrg/gobgp/v3 (v\S+)`).FindStringSubmatch(string(module))[1]
	if components[engine].Name != "github.com/osrg/gobgp/v3" {
		t.Errorf("the list lacks %s", engine)
	}
	standard := "pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go")
	for _, platform := range platforms() {
		agent, manager := "agent for "+platform.String(), "manager for "+platform.String()
		for _, application := range []string{agent, manager} {
			if !slices.Contains(needs["image"], application) || !slices.Contains(needs[application], standard) {
				t.Errorf("the list lacks %s, or says that it is linked without %s", application, standard)
			}
		}
		if !slices.Contains(needs[agent], engine) || slices.Contains(needs[manager], engine) {
			t.Errorf("for %s: want the agent, and the agent alone, to have been linked with %s", platform, engine)
		}
		content, err := os.ReadFile(filepath.Join(unpacked(t, platform.String()), "agent"))
		if err != nil {
			t.Fatal(err)
		}
		if got := (*components[agent].Hashes)[0].Value; got != (binary{content: content}).sha256() {
			t.Errorf("%s has the digest %s in the list, which isn't the file's", agent, got)
		}
	}
	for of, on := range needs {
		for _, ref := range on {
			if _, known := components[ref]; !known {
				t.Errorf("%s needs %s, which is no component of the list", of, ref)
			}
		}
	}
}

func readList(t *testing.T, path string) cdx.BOM {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list cdx.BOM
	if err := cdx.NewBOMDecoder(file, cdx.BOMFileFormatJSON).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// Whoever builds the same commit gets the same bytes, wherever the checkout is and whatever the environment says.
func TestTheSameCommitMakesTheSameImage(t *testing.T) {
	layoutPath, sbomPath := theImage(t)
	elsewhere := copyOfCheckout(t)
	t.Setenv("GOFLAGS", "-buildvcs=true")
	t.Setenv("GOAMD64", "v2")
	t.Setenv("CGO_ENABLED", "1")
	t.Setenv("MAKEFLAGS", "VERSION=v0.0.1")
	t.Setenv("TZ", "Pacific/Chatham")
	again, againList := filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "sbom.cdx.json")
	if err := build(t.Context(), elsewhere, ours, again, againList); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filesBelow(t, layoutPath), filesBelow(t, again)); diff != "" {
		t.Errorf("files of the layout (-first +second):\n%s", diff)
	}
	for first, second := range map[string]string{filepath.Join(layoutPath, "index.json"): filepath.Join(again, "index.json"), sbomPath: againList} {
		requireSame(t, first, second)
	}
}

// copyOfCheckout returns a directory with the files that git knows of, as they are, and those that are new.
func copyOfCheckout(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "-C", checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "some", "where", "else")
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(checkout, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // It was deleted, and that isn't committed yet.
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// filesBelow returns the names of all files in a directory; those of a layout are their digests.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func requireSame(t *testing.T, first, second string) {
	t.Helper()
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s differs from build to build:\n%s", filepath.Base(first), cmp.Diff(string(a), string(b)))
	}
}
