package podplan

import (
	"net/netip"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Facts are what a plan takes from the cluster and from the node that the pod runs on.
type Facts struct {
	// NodeName is the name of the node, and its host name.
	NodeName string
	// HostIPs are the node's InternalIPs, the primary one first.
	HostIPs []netip.Addr
	// PodIPs are the pod's addresses, the primary one first; those of the node for a pod of the host's network.
	PodIPs []netip.Addr
	// APIServer is the cluster IP and the port of the Service kubernetes.
	APIServer netip.AddrPort
}

// Dirs are the directories that a plan refers to. All are absolute.
type Dirs struct {
	// Pod is the pod's own directory; its volumes are below it.
	Pod string
	// NodeRoot stands for the root of the node's file system: hostPath volumes are below it.
	NodeRoot string
	// Binaries holds the programs of Herald's image, of every version but those that are Loaded.
	Binaries string
	// Loaded are directories with the programs of Herald's image, by its tag.
	Loaded map[string]string
	// Self is the program that image lab/echo runs, with the argument "echo".
	Self string
}

// Volume returns where the volume is kept on the machine.
func (d Dirs) Volume(v *corev1.Volume) string {
	if v.HostPath != nil {
		return filepath.Join(d.NodeRoot, v.HostPath.Path)
	}
	return filepath.Join(d.Pod, "volumes", v.Name)
}

// Hostname returns the host name that the pod's processes see.
func Hostname(pod *corev1.Pod, f Facts) string {
	switch {
	case pod.Spec.HostNetwork:
		return f.NodeName
	case pod.Spec.Hostname != "":
		return pod.Spec.Hostname
	default:
		return pod.Name
	}
}

// Objects are the contents of what a pod refers to, as they were last read. What does not exist is not in the maps.
type Objects struct {
	Secrets    map[string]Data
	ConfigMaps map[string]Data
	Tokens     map[Token]string
}

// Data is the content of a Secret or a ConfigMap by key.
type Data map[string][]byte

// Token is a request for a token of the pod's service account.
type Token struct {
	// Audience is empty for the API server's own.
	Audience string
	// ExpirationSeconds is the lifetime that is asked for.
	ExpirationSeconds int64
}

// References are the names of what a pod refers to in its own namespace, each list sorted and without duplicates.
type References struct {
	Secrets    []string
	ConfigMaps []string
	Tokens     []Token
}

// ReferencesOf returns what has to be read before the pod's environment and volumes can be told.
func ReferencesOf(pod *corev1.Pod) References {
	var r References
	for i := range pod.Spec.Volumes {
		r.addVolume(&pod.Spec.Volumes[i])
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			r.addEnvironment(&containers[i])
		}
	}
	slices.Sort(r.Secrets)
	slices.Sort(r.ConfigMaps)
	r.Secrets = slices.Compact(r.Secrets)
	r.ConfigMaps = slices.Compact(r.ConfigMaps)
	return r
}

func (r *References) addVolume(v *corev1.Volume) {
	switch {
	case v.Secret != nil:
		r.Secrets = append(r.Secrets, v.Secret.SecretName)
	case v.ConfigMap != nil:
		r.ConfigMaps = append(r.ConfigMaps, v.ConfigMap.Name)
	case v.Projected != nil:
		for i := range v.Projected.Sources {
			r.addProjection(&v.Projected.Sources[i])
		}
	}
}

func (r *References) addProjection(p *corev1.VolumeProjection) {
	switch {
	case p.Secret != nil:
		r.Secrets = append(r.Secrets, p.Secret.Name)
	case p.ConfigMap != nil:
		r.ConfigMaps = append(r.ConfigMaps, p.ConfigMap.Name)
	case p.ServiceAccountToken != nil:
		if t := tokenOf(p.ServiceAccountToken); !slices.Contains(r.Tokens, t) {
			r.Tokens = append(r.Tokens, t)
		}
	}
}

func (r *References) addEnvironment(c *corev1.Container) {
	for _, from := range c.EnvFrom {
		if from.SecretRef != nil {
			r.Secrets = append(r.Secrets, from.SecretRef.Name)
		}
		if from.ConfigMapRef != nil {
			r.ConfigMaps = append(r.ConfigMaps, from.ConfigMapRef.Name)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if ref := e.ValueFrom.SecretKeyRef; ref != nil {
			r.Secrets = append(r.Secrets, ref.Name)
		}
		if ref := e.ValueFrom.ConfigMapKeyRef; ref != nil {
			r.ConfigMaps = append(r.ConfigMaps, ref.Name)
		}
	}
}

func tokenOf(p *corev1.ServiceAccountTokenProjection) Token {
	t := Token{Audience: p.Audience, ExpirationSeconds: 3600}
	if p.ExpirationSeconds != nil {
		t.ExpirationSeconds = *p.ExpirationSeconds
	}
	return t
}
