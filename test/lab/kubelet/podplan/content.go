package podplan

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// defaultMode is that of a file for which neither the volume nor the item says one.
const defaultMode = fs.FileMode(0o644)

// hasContent tells whether the kubelet writes and keeps up to date what is in the volume.
func hasContent(v *corev1.Volume) bool {
	return v.Secret != nil || v.ConfigMap != nil || v.DownwardAPI != nil || v.Projected != nil
}

// Content returns the files of a volume, with paths relative to it, and whether the volume is of a type that has such
// content: emptyDir and hostPath have not.
func Content(pod *corev1.Pod, v *corev1.Volume, f Facts, objects Objects) (files []File, has bool, err error) {
	w := contentWriter{pod: pod, facts: f, objects: objects}
	switch {
	case v.EmptyDir != nil || v.HostPath != nil:
		return nil, false, nil
	case v.Secret != nil:
		s := v.Secret
		w.mode = modeOr(s.DefaultMode, defaultMode)
		err = w.addData("Secret", objects.Secrets, s.SecretName, s.Items, s.Optional)
	case v.ConfigMap != nil:
		m := v.ConfigMap
		w.mode = modeOr(m.DefaultMode, defaultMode)
		err = w.addData("ConfigMap", objects.ConfigMaps, m.Name, m.Items, m.Optional)
	case v.DownwardAPI != nil:
		w.mode = modeOr(v.DownwardAPI.DefaultMode, defaultMode)
		err = w.addDownwardAPI(v.DownwardAPI.Items)
	case v.Projected != nil:
		w.mode = modeOr(v.Projected.DefaultMode, defaultMode)
		for i := range v.Projected.Sources {
			err = errors.Join(err, w.addProjection(&v.Projected.Sources[i]))
		}
	default:
		err = errors.New("of a type that the lab does not know; it knows configMap, downwardAPI, emptyDir, hostPath, projected and secret")
	}
	if err != nil {
		return nil, true, fmt.Errorf("volume %q: %w", v.Name, err)
	}
	return w.files, true, nil
}

// contentWriter gathers the files of one volume.
type contentWriter struct {
	pod     *corev1.Pod
	facts   Facts
	objects Objects
	mode    fs.FileMode
	files   []File
}

func (w *contentWriter) add(path string, data []byte, mode *int32) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("path %q leads out of the volume", path)
	}
	w.files = append(w.files, File{Path: path, Data: data, Mode: modeOr(mode, w.mode)})
	return nil
}

func (w *contentWriter) addProjection(p *corev1.VolumeProjection) error {
	switch {
	case p.Secret != nil:
		return w.addData("Secret", w.objects.Secrets, p.Secret.Name, p.Secret.Items, p.Secret.Optional)
	case p.ConfigMap != nil:
		return w.addData("ConfigMap", w.objects.ConfigMaps, p.ConfigMap.Name, p.ConfigMap.Items, p.ConfigMap.Optional)
	case p.DownwardAPI != nil:
		return w.addDownwardAPI(p.DownwardAPI.Items)
	case p.ServiceAccountToken != nil:
		token, ok := w.objects.Tokens[tokenOf(p.ServiceAccountToken)]
		if !ok {
			return errors.New("no token of the service account")
		}
		return w.add(p.ServiceAccountToken.Path, []byte(token), nil)
	default:
		return errors.New("the lab projects Secrets, ConfigMaps, the downward API and service account tokens only")
	}
}

// addData adds the items of a Secret or a ConfigMap, or all of its keys where no items are given.
func (w *contentWriter) addData(kind string, from map[string]Data, name string, items []corev1.KeyToPath, optional *bool) error {
	data, err := lookUp(kind, from, name, optional)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		for _, key := range slices.Sorted(maps.Keys(data)) {
			if err := w.add(key, data[key], nil); err != nil {
				return err
			}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok && optional != nil && *optional {
			continue
		}
		if !ok {
			return fmt.Errorf("%s %q has no key %q", kind, name, item.Key)
		}
		if err := w.add(item.Path, value, item.Mode); err != nil {
			return err
		}
	}
	return nil
}

func (w *contentWriter) addDownwardAPI(items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var text string
		var err error
		switch {
		case item.FieldRef != nil:
			text, err = field(w.pod, w.facts, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			text, err = resourceField(w.pod, &corev1.Container{}, item.ResourceFieldRef)
		}
		if err == nil {
			err = w.add(item.Path, []byte(text), item.Mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func modeOr(mode *int32, otherwise fs.FileMode) fs.FileMode {
	if mode == nil {
		return otherwise
	}
	return fs.FileMode(*mode).Perm()
}
