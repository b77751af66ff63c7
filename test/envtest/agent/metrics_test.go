package agent_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/herald-network/herald/internal/access"
	"github.com/herald-network/herald/internal/adapter/kube"
)

// An agent asks the API server who may read its metrics, which takes no right that the manifests do not give.
func TestWhoMayReadMetrics(t *testing.T) {
	server := newCluster(t)
	g := NewWithT(t)
	config := rest.CopyConfig(server.Config)
	config.Impersonate.UserName = "system:serviceaccount:herald-system:herald-agent"
	clients, err := kube.NewClients(config)
	g.Expect(err).NotTo(HaveOccurred())
	review := func(token, path string) access.Answer {
		answer, err := clients.Review(t.Context(), token, path)
		g.Expect(err).NotTo(HaveOccurred())
		return answer
	}
	server.MustKubectl(t, "", "apply", "-f", server.Root+"/config/rbac/metrics.yaml")
	server.MustKubectl(t, "", "create", "serviceaccount", "prometheus")
	token := strings.TrimSpace(server.MustKubectl(t, "", "create", "token", "prometheus"))
	elsewhere := strings.TrimSpace(server.MustKubectl(t, "", "create", "token", "prometheus", "--audience", "vault"))
	const user = "system:serviceaccount:default:prometheus"

	g.Expect(review(token, "/metrics")).To(Equal(access.Answer{User: user}), "it has no right yet")
	server.MustKubectl(t, "", "create", "clusterrolebinding", "prometheus", "--clusterrole=herald-metrics-reader", "--serviceaccount=default:prometheus")
	g.Eventually(review).WithArguments(token, "/metrics").Should(Equal(access.Answer{User: user, IsAllowed: true}))
	g.Expect(review(token, "/debug/pprof")).To(Equal(access.Answer{User: user}))
	g.Expect(review("nonsense", "/metrics")).To(Equal(access.Answer{}))
	g.Expect(review(elsewhere, "/metrics")).To(Equal(access.Answer{}), "a token for somebody else")
	server.MustKubectl(t, "", "delete", "serviceaccount", "prometheus")
	g.Eventually(review).WithArguments(token, "/metrics").WithTimeout(30*time.Second).Should(Equal(access.Answer{}), "whose token it was is gone")
}
