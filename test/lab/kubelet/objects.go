package kubelet

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
)

// objects reads what one pod refers to and remembers it for when the API server is away. Its methods may be called from
// any goroutine.
type objects struct {
	client kubernetes.Interface

	mu         sync.Mutex
	secrets    map[string]podplan.Data
	configMaps map[string]podplan.Data
	tokens     map[podplan.Token]token
}

// token is a token of the pod's service account with the time when it shall be replaced and the time when it ends.
type token struct {
	value           string
	refresh, expiry time.Time
}

func newObjects(client kubernetes.Interface) *objects {
	return &objects{
		client:     client,
		secrets:    make(map[string]podplan.Data),
		configMaps: make(map[string]podplan.Data),
		tokens:     make(map[podplan.Token]token),
	}
}

// read returns all that the pod refers to. What the API server says is not there is absent; where it can't be asked, what
// was read before stands in, and only what never was read is an error.
func (o *objects) read(ctx context.Context, pod *corev1.Pod) (podplan.Objects, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o.mu.Lock()
	defer o.mu.Unlock()
	refs := podplan.ReferencesOf(pod)
	core := o.client.CoreV1()
	for _, name := range refs.Secrets {
		secret, err := core.Secrets(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err := remember(o.secrets, name, err, func() podplan.Data { return secret.Data }); err != nil {
			return podplan.Objects{}, fmt.Errorf("read Secret %s/%s: %w", pod.Namespace, name, err)
		}
	}
	for _, name := range refs.ConfigMaps {
		configMap, err := core.ConfigMaps(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err := remember(o.configMaps, name, err, func() podplan.Data { return configMapData(configMap) }); err != nil {
			return podplan.Objects{}, fmt.Errorf("read ConfigMap %s/%s: %w", pod.Namespace, name, err)
		}
	}
	tokens := make(map[podplan.Token]string, len(refs.Tokens))
	for _, request := range refs.Tokens {
		value, err := o.token(ctx, pod, request)
		if err != nil {
			return podplan.Objects{}, err
		}
		tokens[request] = value
	}
	return podplan.Objects{Secrets: maps.Clone(o.secrets), ConfigMaps: maps.Clone(o.configMaps), Tokens: tokens}, nil
}

// remember puts what was read into known, or takes it out where it is not there. It returns the error of a reading that
// failed where nothing is known from before.
func remember(known map[string]podplan.Data, name string, err error, data func() podplan.Data) error {
	switch {
	case err == nil:
		known[name] = data()
	case apierrors.IsNotFound(err):
		delete(known, name)
	case known[name] == nil:
		return err
	}
	return nil
}

func configMapData(m *corev1.ConfigMap) podplan.Data {
	data := make(podplan.Data, len(m.Data)+len(m.BinaryData))
	for key, value := range m.Data {
		data[key] = []byte(value)
	}
	maps.Copy(data, m.BinaryData)
	return data
}

// token returns a token that is bound to the pod, and with it to the node. It is replaced once four fifths of its life
// have passed.
func (o *objects) token(ctx context.Context, pod *corev1.Pod, request podplan.Token) (string, error) {
	known, now := o.tokens[request], time.Now()
	if now.Before(known.refresh) {
		return known.value, nil
	}
	spec := authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &request.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}
	if request.Audience != "" {
		spec.Audiences = []string{request.Audience}
	}
	answer, err := o.client.CoreV1().ServiceAccounts(pod.Namespace).
		CreateToken(ctx, pod.Spec.ServiceAccountName, &authenticationv1.TokenRequest{Spec: spec}, metav1.CreateOptions{})
	if err != nil && now.Before(known.expiry) {
		return known.value, nil
	}
	if err != nil {
		return "", fmt.Errorf("request a token of service account %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
	}
	expiry := answer.Status.ExpirationTimestamp.Time
	o.tokens[request] = token{value: answer.Status.Token, refresh: now.Add(expiry.Sub(now) * 4 / 5), expiry: expiry}
	return answer.Status.Token, nil
}
