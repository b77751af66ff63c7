package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestInspectSaysWhatAnImageIs(t *testing.T) {
	t.Parallel()
	layoutPath, _ := theImage(t)
	var out bytes.Buffer
	if err := inspect(layoutPath, &out); err != nil {
		t.Fatal(err)
	}
	rest := strings.Join(strings.Fields(out.String()), " ")
	for _, word := range []string{
		"v9.8.7 sha256:", "linux/amd64 sha256:", "user 65532:65532", "entry point /manager", "created 2026-11-24T23:33:12Z", "compressed",
		"/manager -r-xr-xr-x", "/agent -r-xr-xr-x", "org.opencontainers.image.version v9.8.7", "linux/arm64 sha256:",
	} {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Fatalf("want %q after what comes before it, in\n%s", word, &out)
		}
		rest = after
	}
}

func TestPushedImageIsTheLayouts(t *testing.T) {
	t.Parallel()
	layoutPath, sbomPath := theImage(t)
	s, err := readLayout(layoutPath)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(sbomPath)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, referrers := range map[string]bool{
		"a registry that knows of referrers":     true,
		"one where a tag has to stand for those": false, // As on ghcr.io.
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
			defer server.Close()
			to, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/herald-network/herald:v9.8.7")
			if err != nil {
				t.Fatal(err)
			}
			digest, err := push(layoutPath, to.String(), sbomPath)
			if err != nil {
				t.Fatal(err)
			}
			pulled, err := remote.Index(to)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pulled.Digest(); err != nil || got != s.digest || got != digest {
				t.Errorf("the registry has %s (%v), push said %s, and the layout has %s", got, err, digest, s.digest)
			}
			if got := listOf(t, to.Context().Digest(digest.String())); !bytes.Equal(got, want) {
				t.Errorf("the registry has another list than %s:\n%s", sbomPath, got)
			}
		})
	}
}

// listOf returns the list of what is in an image, found from the image alone.
func listOf(t *testing.T, image name.Digest) []byte {
	t.Helper()
	referrers, err := remote.Referrers(image)
	if err != nil {
		t.Fatal(err)
	}
	index, err := referrers.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 1 {
		t.Fatalf("of the image there are the referrers %v, want its list alone", index.Manifests)
	}
	list, err := remote.Image(image.Context().Digest(index.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := list.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.ArtifactType != "application/vnd.cyclonedx+json" {
		t.Errorf("the image's referrer is of type %q, want one of CycloneDX", manifest.ArtifactType)
	}
	return onlyFile(t, list)
}

// onlyFile returns the content of an artifact that is one file.
func onlyFile(t *testing.T, of v1.Image) []byte {
	t.Helper()
	layers, err := of.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("the artifact has %d files", len(layers))
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestUnpackReplacesWhatIsThere(t *testing.T) {
	t.Parallel()
	layoutPath := layoutWith(t, &tar.Header{Name: "manager", Mode: 0o555, Typeflag: tar.TypeReg})
	dir := t.TempDir()
	for range 2 {
		if err := unpack(layoutPath, dir, "linux/amd64"); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "manager"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o555 {
		t.Errorf("the program is %s, want -r-xr-xr-x", info.Mode())
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		file     tar.Header
		platform string
		want     string
	}{
		"a platform that the image isn't for": {
			tar.Header{Name: "manager", Typeflag: tar.TypeReg}, "linux/s390x", `--platform "linux/s390x": the image is for linux/amd64`,
		},
		"a platform that is none": {
			tar.Header{Name: "manager", Typeflag: tar.TypeReg}, "a/b/c/d", `--platform "a/b/c/d"`,
		},
		"a file outside of the root": {
			tar.Header{Name: "../manager", Typeflag: tar.TypeReg}, "linux/amd64", "unsafe tar path",
		},
		"a link, which Herald's image has no use for": {
			tar.Header{Name: "sh", Typeflag: tar.TypeSymlink, Linkname: "/bin/sh"}, "linux/amd64", "/sh: its type is",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "root")
			err := unpack(layoutWith(t, &row.file), dir, row.platform)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, "..", "manager")); err == nil {
				t.Error("a file was written outside of the directory")
			}
		})
	}
}

// layoutWith returns a layout with an image for linux/amd64 that holds one empty file.
func layoutWith(t *testing.T, file *tar.Header) string {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	path := t.TempDir()
	if err := writeLayout(index, herald(), ours, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// What was changed on its way is noticed, although what it was compressed from looks whole.
func TestUnpackRefusesAnImageThatWasChanged(t *testing.T) {
	t.Parallel()
	layoutPath := layoutWith(t, &tar.Header{Name: "manager", Typeflag: tar.TypeReg})
	layers, err := imagesOf(t, layoutPath)[0].Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(layoutPath, "blobs", digest.Algorithm, digest.Hex)
	content, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	content[4]++ // The time in the header of gzip.
	if err := os.WriteFile(blob, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unpack(layoutPath, t.TempDir(), "linux/amd64"); err == nil || !strings.Contains(err.Error(), digest.Hex) {
		t.Errorf("the error is %v, want one with the digest %s", err, digest)
	}
}

func TestReadingWhatIsNoImage(t *testing.T) {
	t.Parallel()
	if err := inspect(t.TempDir(), io.Discard); err == nil || !strings.Contains(err.Error(), "read the layout") {
		t.Errorf("the error is %v, want one that says which directory is no layout", err)
	}
}

func TestBuildRefusesWhatCanNotStandInAnImage(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		args []string
		want string
	}{
		"a version that is no tag": {[]string{"--version", "1 0", "--commit", "c", "--date", "2026-11-24T23:33:12Z"}, `--version "1 0"`},
		"a date of another form":   {[]string{"--version", "v1.0.0", "--commit", "c", "--date", "yesterday"}, `--date "yesterday"`},
		"no commit":                {[]string{"--version", "v1.0.0", "--commit", "", "--date", "2026-11-24T23:33:12Z"}, `--commit ""`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := command()
			c.SetArgs(append([]string{"build"}, row.args...))
			if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}
