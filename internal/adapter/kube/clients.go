package kube

import (
	"fmt"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/herald-network/herald/api/v1alpha1"
)

// dialTimeout bounds one attempt to reach the API server. The kernel repeats an unanswered SYN ever more slowly, so a new
// attempt hears of a host's return sooner than an old one that has long been waiting.
const dialTimeout = 2 * time.Second

// Clients reach the API groups that an agent uses, over one connection and without a limit on the client's side: what an
// agent writes is paced where it is written, and nothing else may wait behind it. Client-go's clientset would bring
// every group of Kubernetes into memory.
type Clients struct {
	core, discovery, coordination, apps, herald rest.Interface
	authentication, authorization               rest.Interface
	// server is what all of them connect to.
	server *apiServer
}

// NewClients returns clients for the API server of a configuration.
func NewClients(config *rest.Config) (*Clients, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("register types: %w", err)
	}
	config = rest.CopyConfig(config)
	config.QPS = -1
	server := newAPIServer()
	config.Dial = server.Dial
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = "herald-agent"
	}
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	clients := &Clients{server: server}
	for client, group := range map[*rest.Interface]schema.GroupVersion{
		&clients.core:           corev1.SchemeGroupVersion,
		&clients.discovery:      discoveryv1.SchemeGroupVersion,
		&clients.coordination:   coordinationv1.SchemeGroupVersion,
		&clients.apps:           appsv1.SchemeGroupVersion,
		&clients.authentication: authenticationv1.SchemeGroupVersion,
		&clients.authorization:  authorizationv1.SchemeGroupVersion,
		&clients.herald:         v1alpha1.GroupVersion,
	} {
		if *client, err = newClient(config, group, connection); err != nil {
			return nil, fmt.Errorf("client for %s: %w", group, err)
		}
	}
	return clients, nil
}

func newClient(config *rest.Config, group schema.GroupVersion, connection *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion = &group
	config.APIPath = "/apis"
	config.ContentType = runtime.ContentTypeProtobuf
	switch group.Group {
	case corev1.GroupName:
		config.APIPath = "/api"
	case v1alpha1.GroupVersion.Group:
		config.ContentType = runtime.ContentTypeJSON // All that the server knows for custom resources besides CBOR.
	}
	return rest.RESTClientForConfigAndClient(config, connection)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	builder := runtime.NewSchemeBuilder(corev1.AddToScheme, discoveryv1.AddToScheme, coordinationv1.AddToScheme,
		appsv1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme, v1alpha1.AddToScheme)
	return scheme, builder.AddToScheme(scheme)
}
