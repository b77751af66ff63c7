package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// relatedImage begins the names of the environment variables that hold images.
const relatedImage = "RELATED_IMAGE_"

// setVersion puts another version or image into the Deployment than the one that config/ has.
func (in *manifests) setVersion(version, image string) error {
	containers, err := in.containers()
	if err != nil {
		return err
	}
	current, _, _ := unstructured.NestedString(containers[0], "image")
	repository, _, ok := strings.Cut(current, ":v")
	if !ok {
		return fmt.Errorf("the manager's image %q has no tag such as :v0.1.0, which says which version this is", current)
	}
	if image == "" {
		image = repository + ":" + version
	}
	for _, container := range containers {
		replaceImage(container, "image", current, image)
		environment, _, _ := unstructured.NestedSlice(container, "env")
		for _, entry := range environment {
			if variable, ok := entry.(map[string]any); ok && strings.HasPrefix(fmt.Sprint(variable["name"]), relatedImage) {
				replaceImage(variable, "value", current, image)
			}
		}
		if environment != nil {
			container["env"] = environment
		}
	}
	return in.setContainers(containers)
}

func replaceImage(in map[string]any, field, from, to string) {
	if in[field] == from {
		in[field] = to
	}
}

// versionOf returns the version that a bundle is of, without the v: the one that was asked for, or the manager's image's.
func (in *manifests) versionOf(asked string) (string, error) {
	if asked == "" {
		containers, err := in.containers()
		if err != nil {
			return "", err
		}
		_, asked, _ = strings.Cut(fmt.Sprint(containers[0]["image"]), ":")
	}
	return bare(asked)
}

// bare returns a version without its v.
func bare(version string) (string, error) {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return "", fmt.Errorf("the version %q is not one such as v0.1.0 or v0.1.0-rc.1", version)
	}
	return version[1:], nil
}

// images returns the images that Herald runs, the manager's first.
func (in *manifests) images() ([]any, error) {
	containers, err := in.containers()
	if err != nil {
		return nil, err
	}
	var images []any
	for _, container := range containers {
		images = append(images, map[string]any{"name": container["name"], "image": container["image"]})
		environment, _, _ := unstructured.NestedSlice(container, "env")
		for _, entry := range environment {
			variable, _ := entry.(map[string]any)
			name, ok := strings.CutPrefix(fmt.Sprint(variable["name"]), relatedImage)
			if ok {
				images = append(images, map[string]any{"name": strings.ToLower(name), "image": variable["value"]})
			}
		}
	}
	return images, nil
}

func containersPath() []string { return []string{"spec", "template", "spec", "containers"} }

func (in *manifests) containers() ([]map[string]any, error) {
	list, _, err := unstructured.NestedSlice(in.deployment.Object, containersPath()...)
	if err != nil {
		return nil, err
	}
	containers := make([]map[string]any, 0, len(list))
	for _, entry := range list {
		if container, ok := entry.(map[string]any); ok {
			containers = append(containers, container)
		}
	}
	if len(containers) == 0 {
		return nil, errors.New("the manager's Deployment has no container")
	}
	return containers, nil
}

func (in *manifests) setContainers(containers []map[string]any) error {
	list := make([]any, len(containers))
	for i := range containers {
		list[i] = containers[i]
	}
	return unstructured.SetNestedSlice(in.deployment.Object, list, containersPath()...)
}
