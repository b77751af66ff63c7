package policies_test

import (
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

// rights are more than agents have: what a policy denies is denied to whom RBAC allows everything.
const rights = `
apiVersion: v1
kind: Namespace
metadata: {name: network}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts"}]
`

// claim is where the API server says of a token which node it is for.
const claim = "authentication.kubernetes.io/node-name"

func serviceAccount(namespace, name string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}

// agentOf returns a client with the identity of an agent whose token claims to be of the nodes.
func agentOf(t *testing.T, server *apiserver.Server, nodes ...string) client.Client {
	t.Helper()
	agent := serviceAccount(namespace, "herald-agent")
	if len(nodes) > 0 {
		agent.Extra = map[string][]string{claim: nodes}
	}
	return clientAs(t, server, agent)
}

// clientAs returns a client with an identity; the zero one is that of an administrator.
func clientAs(t *testing.T, server *apiserver.Server, who rest.ImpersonationConfig) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{coordinationv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	config := rest.CopyConfig(server.Config)
	config.Impersonate = who
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func copyOf(object client.Object) client.Object { return object.DeepCopyObject().(client.Object) }

func formatted(denial, kind string) string { return strings.ReplaceAll(denial, "%s", kind) }
