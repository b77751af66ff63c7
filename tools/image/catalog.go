package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// configs is the directory of the image that has the catalog. Its label says so to what reads catalogs without running them.
const configs = "configs"

// catalog returns the image that a CatalogSource of OLM points at: opm, which serves a file-based catalog.
func catalog() product {
	return product{
		repository:  "ghcr.io/herald-network/herald-catalog",
		target:      "catalog-image",
		title:       "Herald's catalog",
		description: "Serves the Operator Lifecycle Manager the package herald",
		config: v1.Config{
			// The user that OLM runs catalogs as where a namespace restricts pods; it gives none elsewhere.
			User:       "1001:1001",
			Entrypoint: []string{"/bin/opm"},
			// Without the endpoint for profiles, which nobody asks. Without a cache made beforehand, since one differs from time to
			// time that it is made; one package is read in no time.
			Cmd:          []string{"serve", "/" + configs, "--pprof-addr="},
			WorkingDir:   "/",
			Env:          []string{"PATH=/bin"}, // OLM's probes run grpc_health_probe without a path.
			ExposedPorts: map[string]struct{}{"50051/tcp": {}},
			Labels:       map[string]string{"operators.operatorframework.io.index.configs.v1": "/" + configs},
		},
	}
}

// server returns what a catalog's image runs, by names of the Makefile's.
func server() []string { return []string{"grpc_health_probe", "opm"} }

// buildCatalog makes the image that serves a catalog, and the list of what is in it.
func buildCatalog(ctx context.Context, checkout string, r release, from string, on []v1.Platform, layoutPath, sbomPath string) error {
	others, err := catalogFiles(from)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	parts := make([]built, 0, len(on))
	for _, platform := range on {
		binaries, err := compileServer(ctx, checkout, platform)
		if err != nil {
			return err
		}
		parts = append(parts, built{platform, binaries, others})
	}
	return write(catalog(), r, parts, layoutPath, sbomPath)
}

// catalogFiles returns what a catalog's image holds beside programs: the catalog, and what opm wants to find or to make.
func catalogFiles(from string) ([]file, error) {
	files := []file{
		directory("bin"),
		directory("etc"),
		// Which opm would write otherwise, and warn that it can't.
		{"etc/nsswitch.conf", tar.TypeReg, 0o444, []byte("hosts: files dns\n")},
		// Where opm makes its cache, whoever it runs as.
		{"tmp", tar.TypeDir, 0o1777, nil},
	}
	catalog, before := os.DirFS(from), len(files)
	err := fs.WalkDir(catalog, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			files = append(files, directory(path.Join(configs, name)))
			return nil
		}
		content, err := fs.ReadFile(catalog, name)
		if err != nil {
			return err
		}
		files = append(files, file{path.Join(configs, name), tar.TypeReg, 0o444, content})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == before+1 {
		return nil, fmt.Errorf("--configs %q: it holds nothing, want a directory as hack/catalog.sh writes it", from)
	}
	return files, nil
}

func directory(path string) file { return file{path, tar.TypeDir, 0o755, nil} }

// compileServer builds what a catalog's image runs for a platform, by the Makefile, which knows how.
func compileServer(ctx context.Context, checkout string, platform v1.Platform) ([]binary, error) {
	dir, err := os.MkdirTemp("", "herald-image-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // What is left behind is in the system's directory for that.
	if err := runMake(ctx, checkout, platform, "catalog-server", "BIN="+dir); err != nil {
		return nil, fmt.Errorf("build what serves a catalog for %s in %s: %w", platform, checkout, err)
	}
	binaries := make([]binary, 0, len(server()))
	for _, program := range server() {
		b, err := readBinary(filepath.Join(dir, program))
		if err != nil {
			return nil, fmt.Errorf("read what was built for %s: %w", platform, err)
		}
		b.path, b.version = path.Join("bin", program), b.info.Main.Version // Which go.mod of the tools asks for.
		binaries = append(binaries, b)
	}
	return binaries, nil
}
