// Package apiserver runs a real kube-apiserver with Herald's CRDs for a test, on loopback and with nothing else.
package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/herald-network/herald/test/lab/checkout"
	"github.com/herald-network/herald/test/lab/controlplane"
)

// Server is a running kube-apiserver.
type Server struct {
	// Config is that of an administrator.
	Config *rest.Config
	// Root is the root of the checkout, whose CRDs the server has.
	Root string

	kubectl, kubeconfig string
}

// Start starts a server that runs until the test ends, with the feature gates that are given as Name=true or Name=false. Its
// programs come from KUBEBUILDER_ASSETS or the lab's cache, and are built where neither has them.
func Start(t *testing.T, featureGates ...string) *Server {
	t.Helper()
	arguments := make(map[string][]string)
	if len(featureGates) > 0 {
		arguments["feature-gates"] = featureGates
	}
	return start(t, arguments)
}

// StartDualStack starts a server whose Services have addresses of both families, IPv4 first.
func StartDualStack(t *testing.T) *Server {
	t.Helper()
	return start(t, map[string][]string{"service-cluster-ip-range": {"10.49.0.0/16,fd00:10:49::/108"}})
}

func start(t *testing.T, arguments map[string][]string) *Server {
	t.Helper()
	root := must(checkout.Root(must(os.Getwd())(t)))(t)
	programs := provide(t, filepath.Join(root, "test", "controlplane"))

	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	environment.ControlPlane.GetAPIServer().Path = programs[controlplane.APIServer]
	for name, values := range arguments {
		environment.ControlPlane.GetAPIServer().Configure().Set(name, values...)
	}
	environment.ControlPlane.Etcd = &envtest.Etcd{Path: programs[controlplane.Etcd]}
	environment.ControlPlane.Etcd.Configure().Set("unsafe-no-fsync", "true")
	config, err := environment.Start()
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return &Server{Config: config, Root: root, kubectl: programs[controlplane.Kubectl], kubeconfig: kubeconfig}
}

func provide(t *testing.T, module string) controlplane.Binaries {
	t.Helper()
	versions := must(controlplane.ReadVersions(module))(t)
	source := controlplane.Source{
		Module:   module,
		Assets:   os.Getenv("KUBEBUILDER_ASSETS"),
		Cache:    must(versions.CacheDir())(t),
		Versions: versions,
		Progress: os.Stderr,
	}
	if err := os.MkdirAll(source.Cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return must(source.Provide(t.Context()))(t)
}

// Kubectl runs kubectl as an administrator with the text as its standard input, and returns what it prints.
func (s *Server) Kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.kubectl, append([]string{"--kubeconfig", s.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// MustKubectl is Kubectl for a command that is to succeed.
func (s *Server) MustKubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	output, err := s.Kubectl(t, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

// must returns a result, or ends the test where there is an error instead.
func must[T any](result T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
}
