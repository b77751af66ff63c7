package envtest_test

import (
	"embed"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// The manifests of the tour, as people have them: for Calico.
//
//go:embed testdata/seed
var seedFiles embed.FS

// seed returns a manifest of the tour with nothing changed but its apiVersion.
func seed(t *testing.T, name string) string {
	t.Helper()
	text, err := seedFiles.ReadFile(filepath.Join("testdata", "seed", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const theirs, ours = "apiVersion: projectcalico.org/v3\n", "apiVersion: herald.network/v1alpha1\n"
	if strings.Count(string(text), theirs) != 1 {
		t.Fatalf("%s.yaml: want %q once", name, theirs)
	}
	return strings.Replace(string(text), theirs, ours, 1)
}

func (s *suite) testSeed(t *testing.T) {
	verbs := map[string][]string{
		"create":              {"create", "-f", "-"},
		"replace":             {"replace", "-f", "-"},
		"apply":               {"apply", "-f", "-"},
		"apply --server-side": {"apply", "--server-side", "-f", "-"},
	}
	wanted := map[string]func(*testing.T){
		"bgppeer": func(t *testing.T) {
			t.Helper()
			peer := &v1alpha1.BGPPeer{}
			s.get(t, "bgppeer-global-64512", peer)
			expect(t, peer.Spec, v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.1", ASNumber: 64512})
		},
		"clusterips": func(t *testing.T) {
			t.Helper()
			s.expectDefault(t, v1alpha1.BGPConfigurationSpec{ServiceClusterIPs: []v1alpha1.Block{{CIDR: "10.49.0.0/16"}}})
		},
		"externalips": func(t *testing.T) {
			t.Helper()
			s.expectDefault(t, v1alpha1.BGPConfigurationSpec{ServiceExternalIPs: []v1alpha1.Block{{CIDR: "192.168.3.0/24"}}})
		},
	}
	for verb, args := range verbs {
		for manifest, check := range wanted {
			t.Run(verb+" "+manifest, func(t *testing.T) {
				s.clean(t)
				if verb == "replace" {
					s.MustKubectl(t, seed(t, manifest), "create", "-f", "-")
				}
				s.MustKubectl(t, seed(t, manifest), args...)
				check(t)
			})
		}
	}
	// The tour's own order: the second configuration takes the cluster IPs away with a null.
	for _, step := range []struct{ first, then string }{
		{"create", "replace"}, {"create", "apply"}, {"apply", "apply"}, {"apply --server-side", "apply --server-side"},
	} {
		t.Run(step.first+" clusterips, then "+step.then+" externalips", func(t *testing.T) {
			s.clean(t)
			s.MustKubectl(t, seed(t, "clusterips"), verbs[step.first]...)
			s.MustKubectl(t, seed(t, "externalips"), verbs[step.then]...)
			wanted["externalips"](t)
		})
	}
	s.clean(t)
}

// testAbsence tells what overlays depend on: absent and null inherit, an empty list is a value, for a typed client as for
// kubectl.
func (s *suite) testAbsence(t *testing.T) {
	overlay := func(list string) string {
		return "{apiVersion: herald.network/v1alpha1, kind: BGPConfiguration, metadata: {name: rack-a}, spec: {nodeSelector: {}" + list + "}}"
	}
	for name, row := range map[string]struct {
		list string
		want []v1alpha1.Block
	}{
		"absent": {"", nil},
		"null":   {", serviceClusterIPs: null", nil},
		"empty":  {", serviceClusterIPs: []", []v1alpha1.Block{}},
	} {
		t.Run(name, func(t *testing.T) {
			s.clean(t)
			s.MustKubectl(t, overlay(row.list), "create", "-f", "-")
			configuration := &v1alpha1.BGPConfiguration{}
			s.get(t, "rack-a", configuration)
			expect(t, configuration.Spec.ServiceClusterIPs, row.want)

			configuration.Spec.ASNumber = 64600
			if err := s.client.Update(t.Context(), configuration); err != nil {
				t.Fatalf("write it back: %v", err)
			}
			s.get(t, "rack-a", configuration)
			expect(t, configuration.Spec.ServiceClusterIPs, row.want)
		})
	}
	s.clean(t)
}

// clean deletes every object that the tests make.
func (s *suite) clean(t *testing.T) {
	t.Helper()
	s.MustKubectl(t, "", "delete", "bgppeers,bgpconfigurations,externalippools,bgpnodes", "--all")
}

func (s *suite) get(t *testing.T, name string, into client.Object) {
	t.Helper()
	if err := s.client.Get(t.Context(), client.ObjectKey{Name: name}, into); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) expectDefault(t *testing.T, want v1alpha1.BGPConfigurationSpec) {
	t.Helper()
	configuration := &v1alpha1.BGPConfiguration{}
	s.get(t, v1alpha1.DefaultConfigurationName, configuration)
	expect(t, configuration.Spec, want)
}

func expect[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
