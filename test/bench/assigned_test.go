package main

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/api/v1alpha1"
)

func TestWhoAssignsAddresses(t *testing.T) {
	if class := newService(bulkGroup, "by-hand", corev1.ServiceExternalTrafficPolicyCluster).Spec.LoadBalancerClass; class == nil || *class == v1alpha1.LoadBalancerClass {
		t.Errorf("Herald would assign an address to a Service that the benchmark gives one: class %v", class)
	}
	if class := newAssigned(assignedGroup, "assigned").Spec.LoadBalancerClass; class != nil {
		t.Errorf("a user sets no class %s", *class)
	}
	external := newExternal(assignedGroup, "external")
	if external.Annotations[v1alpha1.AnnotationAssignExternalIP] != "true" || external.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("%v", external)
	}
}

func TestShapes(t *testing.T) {
	for shape, want := range map[shape][]string{
		plain:     {"--nodes", "3", "--tors", "1"},
		large:     {"--nodes", "3", "--tors", "1"},
		audited:   {"--nodes", "3", "--tors", "1", "--audit"},
		redundant: {"--nodes", "3", "--tors", "2"},
	} {
		if got := shape.options(); !slices.Equal(got, want) {
			t.Errorf("shape %d: got %v, want %v", shape, got, want)
		}
	}
	for _, s := range scenarios() {
		if s.rack >= shapes {
			t.Errorf("no rack for %s", s.name)
		}
	}
}
