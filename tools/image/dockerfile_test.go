package main

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func dockerfile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Nothing that the programs are compiled from may be kept out of what an engine builds the Dockerfile from.
func TestDockerfileBuildsFromEveryPackage(t *testing.T) {
	t.Parallel()
	if !strings.Contains(dockerfile(t), "\nCOPY . .\n") {
		t.Fatal("the Dockerfile doesn't copy the checkout as .dockerignore leaves it")
	}
	ignored, err := os.ReadFile(filepath.Join(checkout, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	files := append(sources(t), "Makefile", "go.mod", "go.sum")
	for line := range strings.Lines(string(ignored)) {
		pattern := strings.Trim(strings.TrimSpace(line), "/")
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		for _, file := range files {
			if covers(t, pattern, file) {
				t.Errorf(".dockerignore: %s keeps out %s, which the image is built from", pattern, file)
			}
		}
	}
}

// sources returns the files that the programs are compiled from, relative to the checkout.
func sources(t *testing.T) []string {
	t.Helper()
	const files = `{{if and .Module .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .EmbedFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", files)
	for _, program := range programs() {
		list.Args = append(list.Args, "./cmd/"+program)
	}
	list.Dir = checkout
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	var relative []string
	for file := range strings.FieldsSeq(string(output)) {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		relative = append(relative, name)
	}
	for _, wanted := range []string{"cmd/agent/main.go", "cmd/manager/main.go", "config/agent/daemonset.yaml"} {
		if !strings.Contains("\n"+strings.Join(relative, "\n")+"\n", "\n"+wanted+"\n") {
			t.Fatalf("of what the programs are compiled from, %s is missing: %v", wanted, relative)
		}
	}
	return relative
}

// covers reports whether a pattern of .dockerignore keeps out a file, or a directory that it is in.
func covers(t *testing.T, pattern, file string) bool {
	t.Helper()
	if strings.HasPrefix(pattern, "!") || strings.Contains(pattern, "**") {
		t.Fatalf(".dockerignore: %s: this test knows neither exceptions nor **", pattern)
	}
	for ; file != "."; file = path.Dir(file) {
		matched, err := path.Match(pattern, file)
		if err != nil {
			t.Fatal(err)
		}
		if matched {
			return true
		}
	}
	return false
}

// Both ways to build the image say the same of it.
func TestDockerfileSaysWhatTheImageSays(t *testing.T) {
	t.Parallel()
	text := dockerfile(t)
	arguments := strings.NewReplacer("$VERSION", ours.version, "$COMMIT", ours.commit, "$DATE", ours.created())
	have := map[string]string{}
	for _, label := range regexp.MustCompile(`(org\.opencontainers\.image\.\w+)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		have[label[1]] = arguments.Replace(label[2])
	}
	if diff := cmp.Diff(herald().labels(ours), have); diff != "" {
		t.Errorf("labels of the Dockerfile (-want +got):\n%s", diff)
	}
	for _, line := range []string{
		"FROM scratch", "COPY --from=build /out/manager /out/agent /", "USER " + herald().config.User, `ENTRYPOINT ["/manager"]`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the Dockerfile lacks %q, which is how the image is", line)
		}
	}
}

// The image is built by one Go, whichever way.
func TestDockerfileBuildsWithTheGoOfTheModule(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindSubmatch(module)
	if toolchain == nil {
		t.Fatal("go.mod names no toolchain to make releases with")
	}
	if want := "golang:" + string(toolchain[1]) + " AS build"; !strings.Contains(dockerfile(t), want) {
		t.Errorf("the Dockerfile doesn't build with %s, which go.mod names", want)
	}
}
