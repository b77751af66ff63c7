package advertise_test

import (
	"slices"
	"testing"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
)

// TestNamesAreThoseOfTheAPI holds what users see to what the API documents.
func TestNamesAreThoseOfTheAPI(t *testing.T) {
	kinds := map[advertise.Kind]v1alpha1.AdvertisementKind{
		advertise.ClusterIP:      v1alpha1.KindClusterIP,
		advertise.ExternalIP:     v1alpha1.KindExternalIP,
		advertise.LoadBalancerIP: v1alpha1.KindLoadBalancerIP,
		advertise.PodCIDR:        v1alpha1.KindPodCIDR,
		0:                        "Unknown",
	}
	for kind, want := range kinds {
		if kind.String() != string(want) {
			t.Errorf("kind %d is named %q, want %q", kind, kind, want)
		}
	}
	if advertise.Cluster.String() != "Cluster" || advertise.Local.String() != "Local" {
		t.Errorf("the policies are named %q and %q", advertise.Cluster, advertise.Local)
	}
	if got := (advertise.ServiceKey{Namespace: "default", Name: "nginx"}).String(); got != "default/nginx" {
		t.Errorf("a Service is named %q, want default/nginx", got)
	}
}

func TestServiceKeysAreOrderedByNamespaceThenName(t *testing.T) {
	want := []advertise.ServiceKey{{Namespace: "a", Name: "y"}, {Namespace: "a", Name: "z"}, {Namespace: "b", Name: "a"}}
	got := []advertise.ServiceKey{want[2], want[1], want[0]}
	slices.SortFunc(got, advertise.ServiceKey.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted: %v, want %v", got, want)
	}
}
