package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// annotations are what the image of a bundle says of itself, in its metadata as in its labels.
func annotations() map[string]string {
	return map[string]string{
		"operators.operatorframework.io.bundle.mediatype.v1":       "registry+v1",
		"operators.operatorframework.io.bundle.manifests.v1":       "manifests/",
		"operators.operatorframework.io.bundle.metadata.v1":        "metadata/",
		"operators.operatorframework.io.bundle.package.v1":         "herald",
		"operators.operatorframework.io.bundle.channels.v1":        "stable",
		"operators.operatorframework.io.bundle.channel.default.v1": "stable",
		"operators.operatorframework.io.test.mediatype.v1":         "scorecard+v1",
		"operators.operatorframework.io.test.config.v1":            "tests/scorecard/",
	}
}

// metadata adds what a bundle consists of beside its manifests.
func metadata(root string, files map[string][]byte) error {
	text, err := yaml.Marshal(map[string]any{"annotations": annotations()})
	if err != nil {
		return fmt.Errorf("write the bundle's annotations: %w", err)
	}
	files["bundle/metadata/annotations.yaml"] = append([]byte(header), text...)

	scorecard, err := os.ReadFile(filepath.Join(root, "config/olm/scorecard.yaml"))
	if err != nil {
		return err
	}
	files["bundle/tests/scorecard/config.yaml"] = append([]byte(header), scorecard...)

	var file strings.Builder
	fmt.Fprint(&file, header+"FROM scratch\n\n")
	for _, name := range slices.Sorted(maps.Keys(annotations())) {
		fmt.Fprintf(&file, "LABEL %s=%s\n", name, annotations()[name])
	}
	fmt.Fprint(&file, "\nCOPY bundle/manifests /manifests/\nCOPY bundle/metadata /metadata/\nCOPY bundle/tests/scorecard /tests/scorecard/\n")
	files["bundle.Dockerfile"] = []byte(file.String())
	return nil
}
