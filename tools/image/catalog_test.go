package main

import (
	"archive/tar"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const aCatalog = `---
schema: olm.package
name: herald
defaultChannel: stable
---
schema: olm.channel
package: herald
name: stable
entries:
- name: herald.v9.8.7
---
schema: olm.bundle
name: herald.v9.8.7
package: herald
image: ghcr.io/herald-network/herald-bundle:v9.8.7
properties:
- type: olm.package
  value: {packageName: herald, version: 9.8.7}
`

// theCatalogsImage builds the image that serves a catalog, for this machine alone: opm takes minutes to compile for another one.
func theCatalogsImage(t *testing.T) (layoutPath, sbomPath string) {
	t.Helper()
	from := t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, "herald"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "herald", "catalog.yaml"), []byte(aCatalog), 0o600); err != nil {
		t.Fatal(err)
	}
	layoutPath, sbomPath = filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "sbom.cdx.json")
	here := []v1.Platform{{OS: "linux", Architecture: runtime.GOARCH}}
	if err := buildCatalog(t.Context(), checkout, ours, from, here, layoutPath, sbomPath); err != nil {
		t.Fatal(err)
	}
	return layoutPath, sbomPath
}

func TestCatalogsImageServesThePackage(t *testing.T) {
	t.Parallel()
	layoutPath, sbomPath := theCatalogsImage(t)
	image := imagesOf(t, layoutPath)[0]
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}

	t.Run("to a CatalogSource", func(t *testing.T) {
		t.Parallel()
		root := t.TempDir()
		if err := unpack(layoutPath, root, image.platform.String()); err != nil {
			t.Fatal(err)
		}
		address := serve(t, root, config.Config)
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// On the wire the question is a name, and the answer is seen without knowing its fields.
		var answer emptypb.Empty
		err = connection.Invoke(ctx, "/api.Registry/GetPackage", wrapperspb.String("herald"), &answer, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		said := string(answer.ProtoReflect().GetUnknown())
		for _, word := range []string{"herald", "stable", "herald.v9.8.7"} {
			if !strings.Contains(said, word) {
				t.Errorf("of the package herald the catalog says %q, want %q in it", said, word)
			}
		}

		// As kubelet runs OLM's probes, but for the port.
		probe := exec.CommandContext(ctx, filepath.Join(root, lookPath(t, root, config.Config, "grpc_health_probe")), "-addr="+address)
		if output, err := probe.CombinedOutput(); err != nil {
			t.Errorf("the catalog is not healthy: %v\n%s", err, output)
		}
	})

	t.Run("as somebody, with a directory for the cache", func(t *testing.T) {
		t.Parallel()
		if config.Config.User != "1001:1001" {
			t.Errorf("the user is %q, want a number that is not root's", config.Config.User)
		}
		if got := config.Config.Labels["operators.operatorframework.io.index.configs.v1"]; got != "/configs" {
			t.Errorf("the label says that the catalog is in %q, want /configs", got)
		}
		if got := config.Config.Labels["org.opencontainers.image.version"]; got != "v9.8.7" {
			t.Errorf("the label says version %q", got)
		}
		files, err := contents(image)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]string{}
		for _, file := range files {
			have[strings.TrimSuffix(file.Name, "/")] = file.FileInfo().Mode().String()
			if file.Uid != 0 || file.Gid != 0 || !file.ModTime.Equal(ours.date) {
				t.Errorf("%s is of %d:%d and of %s, want root's and of %s", file.Name, file.Uid, file.Gid, file.ModTime, ours.date)
			}
		}
		for name, mode := range map[string]string{
			"bin/opm": "-r-xr-xr-x", "bin/grpc_health_probe": "-r-xr-xr-x", "tmp": "dtrwxrwxrwx",
			"configs/herald": "drwxr-xr-x", "configs/herald/catalog.yaml": "-r--r--r--",
		} {
			if have[name] != mode {
				t.Errorf("/%s is %q, want %q", name, have[name], mode)
			}
		}
		if len(have) != 9 {
			t.Errorf("the image holds %v: more, or less, than a catalog needs", have)
		}
	})

	t.Run("and is listed with the versions of what is in it", func(t *testing.T) {
		t.Parallel()
		versions := map[string]string{}
		for _, component := range *readList(t, sbomPath).Components {
			versions[component.Name] = component.Version
		}
		for program, module := range map[string]string{
			"opm":               "github.com/operator-framework/operator-registry",
			"grpc_health_probe": "github.com/grpc-ecosystem/grpc-health-probe",
		} {
			if versions[program] == "" || versions[program] != versions[module] {
				t.Errorf("the list says that %s is %q, want the version of %s, %q", program, versions[program], module, versions[module])
			}
		}
	})
}

// serve runs an image's command on a free port until the test ends, and returns its address. What is a path in the image is one
// below root.
func serve(t *testing.T, root string, config v1.Config) string {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	args := slices.Clone(config.Cmd)
	for i, arg := range args {
		if strings.HasPrefix(arg, "/") {
			args[i] = filepath.Join(root, arg)
		}
	}
	args = append(args, "--port="+port, "--termination-log="+filepath.Join(t.TempDir(), "termination-log"))
	var output strings.Builder
	server := exec.CommandContext(t.Context(), filepath.Join(root, config.Entrypoint[0]), args...)
	server.Env = append(slices.Clone(config.Env), "TMPDIR="+filepath.Join(root, "tmp"))
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Wait() // The end of the test's context has killed it.
		if t.Failed() {
			t.Logf("the server said:\n%s", &output)
		}
	})
	return address
}

// freeAddress returns an address that nothing listened at a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// lookPath returns where in an image a program is that is run without a path.
func lookPath(t *testing.T, root string, config v1.Config, program string) string {
	t.Helper()
	for _, variable := range config.Env {
		path, found := strings.CutPrefix(variable, "PATH=")
		for dir := range strings.SplitSeq(path, ":") {
			if _, err := os.Stat(filepath.Join(root, dir, program)); found && err == nil {
				return filepath.Join(dir, program)
			}
		}
	}
	t.Fatalf("%s is in no directory of the image's %v", program, config.Env)
	return ""
}

func TestCatalogsImageIsOfACatalog(t *testing.T) {
	t.Parallel()
	for sentence, from := range map[string]string{"nothing in it": t.TempDir(), "no directory": filepath.Join(t.TempDir(), "none")} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			err := buildCatalog(t.Context(), checkout, ours, from, platforms(), t.TempDir(), filepath.Join(t.TempDir(), "list"))
			if err == nil || !strings.Contains(err.Error(), "read the catalog") {
				t.Errorf("the error is %v, want one that says what is no catalog", err)
			}
		})
	}
}

// The same catalog makes the same layer, whatever its files' modes and times are.
func TestCatalogsFilesAreForAllToRead(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	if err := os.WriteFile(filepath.Join(from, "catalog.yaml"), []byte(aCatalog), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := catalogFiles(from)
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1]
	if last.path != "configs/catalog.yaml" || last.mode != 0o444 || last.kind != tar.TypeReg || string(last.content) != aCatalog {
		t.Errorf("the catalog is %q, mode %o, in the image", last.path, last.mode)
	}
}
