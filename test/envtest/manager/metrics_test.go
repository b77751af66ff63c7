package manager_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// The manager asks the API server who may read its metrics, which takes no right that the manifests do not give.
func TestWhoMayReadMetrics(t *testing.T) {
	server := newCluster(t)
	address := startAnyManager(t, server)
	g := patiently(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	code := func(token string) func() (int, error) {
		return func() (int, error) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://%s/metrics", address), nil)
			if err != nil {
				return 0, err
			}
			if token != "" {
				request.Header.Set("Authorization", "Bearer "+token)
			}
			answer, err := client.Do(request)
			if err != nil {
				return 0, err
			}
			defer answer.Body.Close()
			return answer.StatusCode, nil
		}
	}
	for _, account := range []string{"prometheus", "other"} {
		server.MustKubectl(t, "", "create", "serviceaccount", account)
	}
	server.MustKubectl(t, "", "create", "clusterrolebinding", "prometheus", "--clusterrole=herald-metrics-reader", "--serviceaccount=default:prometheus")
	tokenOf := func(account string) string {
		return strings.TrimSpace(server.MustKubectl(t, "", "create", "token", account))
	}

	g.Eventually(code(tokenOf("prometheus"))).Should(Equal(http.StatusOK))
	g.Expect(code(tokenOf("other"))()).To(Equal(http.StatusForbidden))
	g.Expect(code("")()).To(Equal(http.StatusUnauthorized))
	g.Expect(code("nonsense")()).NotTo(Equal(http.StatusOK))
}
