package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/lab/topology"
)

// service is a Service in front of echo servers.
type service struct {
	name string
	// kind is its type; NodePort where empty.
	kind        corev1.ServiceType
	annotations map[string]string
	// app is the label of its pods; "echo" where empty.
	app         string
	local       bool
	port        int
	externalIPs []string
	families    []corev1.IPFamily
	// policy is the one of its families; RequireDualStack where it is empty and there are two.
	policy corev1.IPFamilyPolicy
}

func (s service) manifest() string {
	kind := cmp.Or(s.kind, corev1.ServiceTypeNodePort)
	text := fmt.Sprintf(`---
apiVersion: v1
kind: Service
metadata:
  name: %s
  annotations: {%s}
spec:
  type: %s
  selector: {app: %s}
  ports:
  - port: %d
    targetPort: 8080
`, s.name, s.annotationList(), kind, cmp.Or(s.app, "echo"), cmp.Or(s.port, 80))
	switch {
	case s.local:
		text += "  externalTrafficPolicy: Local\n"
	case kind != corev1.ServiceTypeClusterIP:
		text += "  externalTrafficPolicy: Cluster\n"
	}
	if len(s.externalIPs) > 0 {
		text += "  externalIPs: ['" + strings.Join(s.externalIPs, "', '") + "']\n"
	}
	if len(s.families) > 0 {
		text += fmt.Sprintf("  ipFamilies: [%s]\n", joined(s.families))
	}
	if len(s.families) > 1 {
		text += fmt.Sprintf("  ipFamilyPolicy: %s\n", cmp.Or(s.policy, corev1.IPFamilyPolicyRequireDualStack))
	}
	return text
}

func (s service) annotationList() string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(s.annotations)) {
		list = append(list, fmt.Sprintf("%s: %q", key, s.annotations[key]))
	}
	return strings.Join(list, ", ")
}

// createService creates a Service for the length of one case and returns its cluster IPs.
func (r *rack) createService(ctx context.Context, s service) []string {
	GinkgoHelper()
	Expect(r.Apply(ctx, s.manifest())).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "service/"+s.name)).To(Succeed()) })
	var created corev1.Service
	Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "default", Name: s.name}, &created)).To(Succeed())
	return created.Spec.ClusterIPs
}

// host returns the host route's prefix for an address.
func host(address string) string {
	addr := netip.MustParseAddr(address)
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}

// url returns the URL of an address.
func url(address string) string {
	return "http://" + netip.AddrPortFrom(netip.MustParseAddr(address), 80).String() + "/"
}

// outsideClient is the address of the outside client that answers name, in the family of the address.
func (r *rack) outsideClient(address string) string {
	client, _ := r.plan.Host(topology.External)
	for _, addr := range client.Addresses() {
		if addr.Is4() == netip.MustParseAddr(address).Is4() {
			return addr.String()
		}
	}
	return ""
}

func joined[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}
