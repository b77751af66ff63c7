package podplan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// environment returns the container's variables: those of the Service kubernetes, then envFrom, then env, where a later
// one replaces an earlier one and $(NAME) refers to an earlier one.
func environment(pod *corev1.Pod, c *corev1.Container, f Facts, objects Objects) (map[string]string, error) {
	env := serviceVariables(f)
	for _, from := range c.EnvFrom {
		data, err := envSource(from, objects)
		if err != nil {
			return nil, err
		}
		for key, value := range data {
			env[from.Prefix+key] = string(value)
		}
	}
	for i := range c.Env {
		e := &c.Env[i]
		value, set, err := variable(pod, c, e, f, objects)
		switch {
		case err != nil:
			return nil, fmt.Errorf("env %s: %w", e.Name, err)
		case e.ValueFrom == nil:
			env[e.Name] = Expand(e.Value, env)
		case set:
			env[e.Name] = value
		}
	}
	return env, nil
}

func serviceVariables(f Facts) map[string]string {
	if !f.APIServer.IsValid() {
		return map[string]string{}
	}
	port := strconv.Itoa(int(f.APIServer.Port()))
	return map[string]string{
		"KUBERNETES_SERVICE_HOST":       f.APIServer.Addr().String(),
		"KUBERNETES_SERVICE_PORT":       port,
		"KUBERNETES_SERVICE_PORT_HTTPS": port,
	}
}

func envSource(from corev1.EnvFromSource, objects Objects) (Data, error) {
	switch {
	case from.SecretRef != nil:
		return lookUp("Secret", objects.Secrets, from.SecretRef.Name, from.SecretRef.Optional)
	case from.ConfigMapRef != nil:
		return lookUp("ConfigMap", objects.ConfigMaps, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	default:
		return nil, nil
	}
}

// variable returns the value of a variable that has a valueFrom; set is false where an optional source is absent.
func variable(pod *corev1.Pod, c *corev1.Container, e *corev1.EnvVar, f Facts, objects Objects) (value string, set bool, err error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return "", false, nil
	case from.FieldRef != nil:
		value, err = field(pod, f, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = resourceField(pod, c, from.ResourceFieldRef)
		return value, true, err
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		return lookUpKey("Secret", objects.Secrets, ref.Name, ref.Key, ref.Optional)
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		return lookUpKey("ConfigMap", objects.ConfigMaps, ref.Name, ref.Key, ref.Optional)
	default:
		return "", false, errors.New("the lab knows valueFrom with fieldRef, resourceFieldRef, secretKeyRef and configMapKeyRef only")
	}
}

func lookUp(kind string, from map[string]Data, name string, optional *bool) (Data, error) {
	data, ok := from[name]
	if !ok && (optional == nil || !*optional) {
		return nil, fmt.Errorf("%s %q not found", kind, name)
	}
	return data, nil
}

func lookUpKey(kind string, from map[string]Data, name, key string, optional *bool) (value string, set bool, err error) {
	data, err := lookUp(kind, from, name, optional)
	if err != nil {
		return "", false, err
	}
	raw, ok := data[key]
	if !ok && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("%s %q has no key %q", kind, name, key)
	}
	return string(raw), ok, nil
}

// assignments returns the variables as NAME=value, sorted.
func assignments(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}
