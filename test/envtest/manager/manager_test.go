package manager_test

import (
	"context"
	"maps"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const namespace = "herald-system"

// newCluster starts an API server with the manager's and the agents' rights, and with the manager's Deployment.
func newCluster(t *testing.T) *apiserver.Server {
	t.Helper()
	server := apiserver.Start(t)
	for _, file := range []string{
		"namespace/namespace.yaml", "rbac/manager.yaml", "rbac/agent.yaml", "rbac/metrics.yaml", "manager/deployment.yaml",
	} {
		server.MustKubectl(t, "", "apply", "-f", filepath.Join(server.Root, "config", file))
	}
	return server
}

// startManager starts a manager with the rights of its manifests and no others, and returns the address of its metrics.
func startManager(t *testing.T, server *apiserver.Server, configFile string) (metricsAddress string) {
	t.Helper()
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	restConfig := rest.CopyConfig(server.Config)
	restConfig.Impersonate.UserName = "system:serviceaccount:herald-system:herald-manager"
	deployment := types.NamespacedName{Namespace: namespace, Name: "herald-manager"}
	agents := &controllers.AgentReconciler{Deployment: deployment, ConfigFile: configFile}
	policies := &controllers.PolicyReconciler{Deployment: deployment}
	secrets := &controllers.SecretsRoleReconciler{Deployment: deployment}
	reads := clustercache.Objects(namespace)
	maps.Copy(reads, agents.Reads())
	maps.Copy(reads, policies.Reads())
	maps.Copy(reads, secrets.Reads())
	metricsAddress = unusedAddress(t)
	anew := true // Names of controllers are unique in a process, while each test has a manager of its own.
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        testr.New(t),
		Cache:                         cache.Options{ByObject: reads},
		Controller:                    config.Controller{SkipNameValidation: &anew},
		LeaderElection:                true,
		LeaderElectionID:              "herald-manager",
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		Metrics: metricsserver.Options{
			BindAddress: metricsAddress, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(agents.SetupWithManager(mgr)).To(Succeed())
	g.Expect(policies.SetupWithManager(mgr)).To(Succeed())
	g.Expect(secrets.SetupWithManager(mgr)).To(Succeed())

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		g.Expect(<-ended).To(Succeed())
	})
	return metricsAddress
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// startAnyManager starts a manager whose configuration is of no matter.
func startAnyManager(t *testing.T, server *apiserver.Server) (metricsAddress string) {
	t.Helper()
	config := newConfigMap(t)
	config.change(t, "agent: {image: herald:v1}")
	return startManager(t, server, config.file())
}

// removeDeployment has the manager's Deployment be on its way out, and stay there.
func removeDeployment(t *testing.T, server *apiserver.Server) {
	t.Helper()
	server.MustKubectl(t, "", "-n", namespace, "patch", "deployment", "herald-manager", "-p", `{"metadata":{"finalizers":["example.org/wait"]}}`)
	server.MustKubectl(t, "", "-n", namespace, "delete", "deployment", "herald-manager", "--wait=false")
}

// patiently returns assertions that wait as long as an API server may take on a busy machine.
func patiently(t *testing.T) *WithT {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(30 * time.Second)
	return g
}
