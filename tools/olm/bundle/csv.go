package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// serviceVersion returns the ClusterServiceVersion: config/olm's, with what the manifests say.
func (in *manifests) serviceVersion(o options) (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(filepath.Join(o.root, "config/olm/herald.clusterserviceversion.yaml"))
	if err != nil {
		return nil, err
	}
	csv := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(text, &csv.Object); err != nil {
		return nil, fmt.Errorf("read config/olm's ClusterServiceVersion: %w", err)
	}
	version := strings.TrimPrefix(o.version, "v")
	csv.SetName("herald.v" + version)
	parts := []struct {
		path []string
		make func() (any, error)
	}{
		{[]string{"spec", "version"}, func() (any, error) { return version, nil }},
		{[]string{"spec", "icon"}, func() (any, error) { return icon(o.root) }},
		{[]string{"spec", "install"}, in.install},
		{[]string{"spec", "relatedImages"}, func() (any, error) { return in.images() }},
		{[]string{"spec", "webhookdefinitions"}, func() (any, error) { return in.webhookDefinitions() }},
		{[]string{"spec", "customresourcedefinitions", "owned"}, func() (any, error) { return in.owned(csv) }},
	}
	if o.replaces != "" {
		replaced, err := bare(o.replaces)
		if err != nil {
			return nil, fmt.Errorf("the version that is replaced: %w", err)
		}
		if err := unstructured.SetNestedField(csv.Object, "herald.v"+replaced, "spec", "replaces"); err != nil {
			return nil, err
		}
	}
	for _, part := range parts {
		value, err := part.make()
		if err != nil {
			return nil, err
		}
		parent, _, err := unstructured.NestedFieldNoCopy(csv.Object, part.path[:len(part.path)-1]...)
		fields, ok := parent.(map[string]any)
		if err != nil || !ok {
			return nil, fmt.Errorf("config/olm's ClusterServiceVersion has no %v: %w", part.path[:len(part.path)-1], err)
		}
		fields[part.path[len(part.path)-1]] = value
	}
	return csv, in.annotate(csv, o.root)
}

// install returns how OLM installs Herald: the manager's Deployment and the rights.
func (in *manifests) install() (any, error) {
	deployment, err := in.manager()
	if err != nil {
		return nil, err
	}
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		if volume.ConfigMap == nil || volume.ConfigMap.Optional != nil && *volume.ConfigMap.Optional {
			continue
		}
		// A ConfigMap in the bundle would be OLM's: each upgrade would undo what users wrote there.
		return nil, fmt.Errorf("the manager needs the ConfigMap %s, which a bundle can't leave to users: make the volume %s optional",
			volume.ConfigMap.Name, volume.Name)
	}
	permissions, err := in.clusterPermissions()
	if err != nil {
		return nil, err
	}
	labels, err := plain(deployment.Labels)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"strategy": "deployment",
		"spec": map[string]any{
			"deployments":        []any{map[string]any{"name": deployment.Name, "label": labels, "spec": in.deployment.Object["spec"]}},
			"clusterPermissions": permissions,
		},
	}, nil
}

func icon(root string) (any, error) {
	image, err := os.ReadFile(filepath.Join(root, "config/olm/icon.svg"))
	return []any{map[string]any{"base64data": base64.StdEncoding.EncodeToString(image), "mediatype": "image/svg+xml"}}, err
}

// annotate adds the annotations that say what the manifests do in another way: image, namespace, examples.
func (in *manifests) annotate(csv *unstructured.Unstructured, root string) error {
	examples, internal, err := in.examples(root)
	if err != nil {
		return err
	}
	containers, err := in.containers()
	if err != nil {
		return err
	}
	annotations := csv.GetAnnotations()
	if annotations == nil {
		return errors.New("config/olm's ClusterServiceVersion has no annotations")
	}
	annotations["containerImage"] = fmt.Sprint(containers[0]["image"])
	annotations["operatorframework.io/suggested-namespace"] = in.namespace.GetName()
	for name, value := range map[string]any{
		"alm-examples": examples,
		"operators.operatorframework.io/internal-objects":   internal,
		"operatorframework.io/suggested-namespace-template": in.namespace.Object, // With the labels for Pod Security admission.
	} {
		text, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return fmt.Errorf("write the annotation %s: %w", name, err)
		}
		annotations[name] = string(text)
	}
	csv.SetAnnotations(annotations)
	return nil
}

// examples returns the samples of the kinds that users write, and the names of the other kinds: those without a spec.
func (in *manifests) examples(root string) (examples, internal []any, err error) {
	var written []string
	for _, object := range in.crds {
		crd, err := definition(object)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]; ok {
			written = append(written, crd.Spec.Names.Kind)
		} else {
			internal = append(internal, crd.Name)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "config/samples/*.yaml"))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		objects, err := decode(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, object := range objects {
			if slices.Contains(written, object.GetKind()) {
				examples = append(examples, object.Object)
			}
		}
	}
	return examples, internal, nil
}
