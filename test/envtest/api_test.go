// Package envtest_test holds Herald's API to a real API server: what it accepts, what it refuses and in which words, and
// what kubectl shows.
package envtest_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

// suite is what the tests share: one API server.
type suite struct {
	*apiserver.Server
	client client.Client
}

// TestAPI runs everything that needs an API server, against one.
func TestAPI(t *testing.T) {
	server := apiserver.Start(t)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{Server: server, client: c}

	t.Run("the seed's manifests", s.testSeed)
	t.Run("absent, null and empty lists", s.testAbsence)
	t.Run("the largest configuration", s.testLargest)
	t.Run("the largest export rules", s.testLargestExport)
	t.Run("samples", s.testSamples)
	t.Run("installations", s.testInstallations)
	t.Run("documents", s.testDocuments)
	t.Run("columns", s.testColumns)
	t.Run("status", s.testStatus)
	for _, k := range kinds() {
		for name, r := range k.rules {
			t.Run(k.name+"/"+name, func(t *testing.T) { s.expectRule(t, k, r) })
		}
	}
}
