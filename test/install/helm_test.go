package install

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/pki"
)

// withHelm is the installation by Helm.
func withHelm() way {
	return way{
		section: "With Helm",
		upgrade: func(ctx context.Context, r *rack, version string) {
			r.sh(ctx, forVersion(r.documented("docs/install.md", "Upgrading with Helm"), version))
		},
		more: helmCases,
	}
}

// helmCases are about what the chart does and other ways don't.
func helmCases(r *rack, w way) {
	// commands are the lines of a document's commands, in their order.
	commands := func(document, section string) []string {
		return strings.Split(strings.TrimSpace(r.documented(document, section)), "\n")
	}

	It("takes over what kubectl installed, and loses no request", func(ctx SpecContext) {
		r.sh(ctx, r.documented("README.md", withKubectl().section))
		Expect(r.Apply(ctx, world)).To(Succeed())
		r.expectRoute(ctx, clusterBlock)
		r.expectRoute(ctx, balancerBlock)
		urls := r.addresses(ctx)
		r.expectAnswers(ctx, urls)
		expectUntouched, expectAllAnswered := r.watchRoutes(), r.sendTraffic(ctx, rate, urls...)
		r.sh(ctx, commands("README.md", w.section)[2]+" --take-ownership")
		r.expectRunning(ctx, present)
		expectAllAnswered()
		expectUntouched()
	})

	It("refuses a second release, and says which is there", func(ctx SpecContext) {
		output := r.sh(ctx, "if helm install second "+releases+present+"/herald-"+strings.TrimPrefix(present, "v")+".tgz --namespace default 2>&1; then exit 1; fi")
		Expect(output).To(ContainSubstring("Herald is in this cluster already: release herald in namespace herald-system."))
	})

	It("keeps what users wrote when it is uninstalled, for a release that comes after it", func(ctx SpecContext) {
		before := r.addresses(ctx)
		removal := commands("docs/removing.md", w.section)
		r.sh(ctx, removal[0])
		for _, router := range r.routers {
			Eventually(ctx, router.Prefixes, soon, interval).Should(BeEmpty(), router.Host)
		}
		r.sh(ctx, "kubectl get bgppeers/tor bgppeers/tor-2 bgpconfigurations/default externalippools/public")

		output := r.sh(ctx, commands("README.md", w.section)[2])
		Expect(output).NotTo(ContainSubstring("WARNING"), "the namespace has its label")
		r.expectRunning(ctx, present)
		r.expectRoute(ctx, clusterBlock)
		r.expectRoute(ctx, balancerBlock)
		Expect(r.addresses(ctx)).To(ContainElements(before), "addresses of Services")

		r.sh(ctx, strings.Join(removal, "\n"))
		r.expectNoTrace(ctx)
	})

	It("warns of a namespace without the label that agents need", func(ctx SpecContext) {
		output := r.sh(ctx, commands("README.md", w.section)[2]+" --create-namespace")
		Expect(output).To(ContainSubstring("WARNING: namespace herald-system lacks the label pod-security.kubernetes.io/enforce=privileged."))
		r.sh(ctx, strings.Join(commands("docs/removing.md", w.section), "\n"))
		r.expectNoTrace(ctx)
	})
	It("shows a certificate that somebody else made, and takes everything along that it is told to", func(ctx SpecContext) {
		authority, err := pki.NewAuthority("somebody else")
		Expect(err).NotTo(HaveOccurred())
		pair, err := authority.Server("herald-webhook", []string{"herald-webhook.herald-system.svc"}, nil)
		Expect(err).NotTo(HaveOccurred())
		r.sh(ctx, "kubectl delete services local anywhere --ignore-not-found")
		installation := commands("README.md", w.section)
		r.sh(ctx, strings.Join(installation[:2], "\n"))
		Expect(r.Apply(ctx, certificate("own", pair))).To(Succeed())
		bundle := base64.StdEncoding.EncodeToString(authority.CertPEM)
		r.sh(ctx, installation[2]+" --set webhook.certificates=Mounted,webhook.secretName=own --set-string webhook.caBundle="+bundle)
		r.expectRunning(ctx, present)
		Expect(r.Apply(ctx, world)).To(Succeed(), "the API server asks the webhooks")
		Expect(r.Kubectl(ctx, "--namespace", "herald-system", "get", "secrets", "-o", "name")).NotTo(ContainSubstring("herald-webhook-server"))

		r.sh(ctx, commands("docs/install.md", "Upgrading with Helm")[0]+" --set crds.keep=false,removal.addresses=Release")
		r.expectRunning(ctx, present)
		r.expectAnswers(ctx, r.addresses(ctx))
		removal := commands("docs/removing.md", w.section)
		r.sh(ctx, removal[0])
		for _, router := range r.routers {
			Eventually(ctx, router.Prefixes, soon, interval).Should(BeEmpty(), router.Host)
		}
		r.expectNoAddresses(ctx)
		r.sh(ctx, removal[2])
		r.expectNoTrace(ctx)
	})
}

// certificate returns the manifest of a Secret with a certificate and its key, in Herald's namespace.
func certificate(name string, pair pki.Pair) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": %q, "namespace": "herald-system"},
		"stringData": {"tls.crt": %q, "tls.key": %q}}`, name, pair.Cert, pair.Key)
}
