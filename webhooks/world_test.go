package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
)

// world is a cache of a cluster that holds what a test puts there, or can't be read.
type world struct {
	client.Reader
	broken error
	// noIndex is why the index can't be read.
	noIndex error

	nodes          []corev1.Node
	services       []corev1.Service
	slices         []discoveryv1.EndpointSlice
	configurations []v1alpha1.BGPConfiguration
	peers          []v1alpha1.BGPPeer
	pools          []v1alpha1.ExternalIPPool
}

func (w *world) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if w.broken != nil {
		return w.broken
	}
	switch l := list.(type) {
	case *corev1.NodeList:
		l.Items = w.nodes
	case *corev1.ServiceList:
		found, err := w.indexed(options)
		l.Items = found
		return err
	case *discoveryv1.EndpointSliceList:
		l.Items = w.slices
	case *v1alpha1.BGPConfigurationList:
		l.Items = w.configurations
	case *v1alpha1.BGPPeerList:
		l.Items = w.peers
	case *v1alpha1.ExternalIPPoolList:
		l.Items = w.pools
	case *networkingv1.ServiceCIDRList, *corev1.SecretList:
	default:
		return fmt.Errorf("no list of %T", list)
	}
	return nil
}

// indexed returns the Services that the index of a cache would.
func (w *world) indexed(options []client.ListOption) ([]corev1.Service, error) {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if asked.FieldSelector == nil {
		return w.services, nil
	}
	address, ok := asked.FieldSelector.RequiresExactMatch(addressIndex)
	if !ok {
		return nil, fmt.Errorf("no index for %s", asked.FieldSelector)
	}
	var found []corev1.Service
	for i := range w.services {
		if slices.Contains(addressesOf(&w.services[i]), address) {
			found = append(found, w.services[i])
		}
	}
	return found, w.noIndex
}

func (w *world) source() clustercache.Source {
	return clustercache.Source{Reader: w, Namespace: "herald-system"}
}

func newScheme(tb testing.TB) *runtime.Scheme {
	tb.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	return scheme
}

// newRegistered returns counters in a registry of their own.
func newRegistered(tb testing.TB) requests {
	tb.Helper()
	counters, err := newRequests(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	return counters
}

// review returns the body of a request; an object that is nil is left out.
func review(tb testing.TB, operation admissionv1.Operation, old, object client.Object) []byte {
	tb.Helper()
	request := &admissionv1.AdmissionRequest{UID: "7", Operation: operation, OldObject: raw(tb, old), Object: raw(tb, object)}
	return marshal(tb, admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  request,
	})
}

func raw(tb testing.TB, object client.Object) runtime.RawExtension {
	tb.Helper()
	if object == nil {
		return runtime.RawExtension{}
	}
	return runtime.RawExtension{Raw: marshal(tb, object)}
}

func marshal(tb testing.TB, value any) []byte {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// send sends a body to a webhook and returns the answer.
func send(tb testing.TB, hook http.Handler, body []byte) *admissionv1.AdmissionResponse {
	tb.Helper()
	request := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	hook.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		tb.Fatalf("HTTP status %d: %s", recorder.Code, recorder.Body)
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		tb.Fatalf("%v: %s", err, recorder.Body)
	}
	if answer.Response == nil {
		tb.Fatalf("no response: %s", recorder.Body)
	}
	return answer.Response
}

// value returns what a counter has counted.
func value(tb testing.TB, counter prometheus.Counter) float64 {
	tb.Helper()
	var metric dto.Metric
	if err := counter.Write(&metric); err != nil {
		tb.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

// crowdedWorld returns a cluster that has something of everything.
func crowdedWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{}
	for i := range 3 {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i+1), Labels: map[string]string{"rack": "a"}}}
		node.Spec.PodCIDRs = []string{fmt.Sprintf("10.48.%d.0/24", i+1)}
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.1.%d", i+11)}}
		w.nodes = append(w.nodes, node)
	}
	w.peers = []v1alpha1.BGPPeer{example[v1alpha1.BGPPeer](tb, peerPath), example[v1alpha1.BGPPeer](tb, peerPath)}
	w.peers[1].Name, w.peers[1].Spec.PeerIP = "tor-2", "192.168.1.2"
	w.configurations = []v1alpha1.BGPConfiguration{
		example[v1alpha1.BGPConfiguration](tb, configurationPath), example[v1alpha1.BGPConfiguration](tb, configurationPath),
	}
	w.configurations[0].Spec.NodeSelector, w.configurations[0].Spec.RouterID = nil, ""
	w.configurations[1].Name = "rack-a"
	w.pools = []v1alpha1.ExternalIPPool{example[v1alpha1.ExternalIPPool](tb, poolPath)}
	w.services = []corev1.Service{
		example[corev1.Service](tb, servicePath),
		service("other", "web", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.3.180"} }),
	}
	ready := true
	w.slices = []discoveryv1.EndpointSlice{{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{NodeName: &w.nodes[0].Name, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}}
	return w
}

func example[T any](tb testing.TB, path string) T {
	tb.Helper()
	var object T
	if err := json.Unmarshal([]byte(examples[path]), &object); err != nil {
		tb.Fatal(err)
	}
	return object
}
