package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/lab/topology"
)

const (
	clusterBlock  = "10.49.0.0/16"
	balancerBlock = "192.168.4.0/24"
	// rate is how many requests the client outside sends a second while Herald changes.
	rate = 200
)

// world is what a person runs on a cluster with Herald: two peers, a pool, and a Service of each kind that it serves.
const world = `
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 192.168.1.1, asNumber: 64512, holdTimeSeconds: 9}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: tor-2}
spec: {peerIP: 192.168.1.2, asNumber: 64512, holdTimeSeconds: 9}
---
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata: {name: default}
spec:
  serviceClusterIPs: [{cidr: 10.49.0.0/16}]
  serviceExternalIPs: [{cidr: 192.168.3.0/24}]
  serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]
---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: public}
spec: {addresses: [192.168.4.0/24, 192.168.3.0/24]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - {name: echo, image: lab/echo, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: local}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: anywhere, annotations: {herald.network/assign-external-ip: "true"}}
spec:
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
`

// installationCases take an installation through its life.
func installationCases(r *rack, w way, objects map[string]map[string]string) {
	var urls []string

	It("runs after the commands that README.md says", func(ctx SpecContext) {
		commands := r.documented("README.md", w.section)
		Expect(lines(commands)).To(HaveLen(3), "an installation takes three lines")
		r.sh(ctx, commands)
		r.expectRunning(ctx, present)
		objects[w.section] = r.installed(ctx)
	})

	It("passes the tour", func(ctx SpecContext) { r.tour(ctx) })

	It("serves Services", func(ctx SpecContext) { urls = r.serve(ctx) })

	for _, version := range []string{next, present} {
		It("loses no request and no route while it is made "+version, func(ctx SpecContext) {
			expectUntouched, expectAllAnswered := r.watchRoutes(), r.sendTraffic(ctx, rate, urls...)
			w.upgrade(ctx, r, version)
			r.expectRunning(ctx, version)
			AddReportEntry("requests answered", expectAllAnswered())
			expectUntouched()
			Expect(r.addresses(ctx)).To(Equal(urls), "addresses of Services")
		})
	}

	It("withdraws its routes and leaves nothing behind when it is removed", func(ctx SpecContext) {
		before := r.addresses(ctx)
		r.sh(ctx, r.documented("docs/removing.md", w.section))
		for _, router := range r.routers {
			Eventually(ctx, router.Prefixes, soon, interval).Should(BeEmpty(), router.Host)
		}
		r.expectNoTrace(ctx)
		Expect(r.addresses(ctx)).To(Equal(before), "Services keep their addresses")
	})

	if w.more != nil {
		w.more(r, w)
	}
}

// tour takes the tour, and removes what it leaves.
func (r *rack) tour(ctx context.Context) {
	GinkgoHelper()
	page, err := r.Run(ctx, "tour")
	AddReportEntry("tour", page, ReportEntryVisibilityFailureOrVerbose)
	Expect(err).NotTo(HaveOccurred())
	r.sh(ctx, "kubectl delete services,deployments -l app=nginx --wait; kubectl delete service nginx --ignore-not-found; "+
		"kubectl delete externalippools,bgpconfigurations,bgppeers --all")
}

// serve brings the world up, and returns the URLs of its Services' addresses once they answer.
func (r *rack) serve(ctx context.Context) []string {
	GinkgoHelper()
	Expect(r.Apply(ctx, world)).To(Succeed())
	for _, block := range []string{clusterBlock, balancerBlock} {
		r.expectRoute(ctx, block)
	}
	urls := r.addresses(ctx)
	Expect(urls).To(HaveLen(2))
	r.expectAnswers(ctx, urls)
	return urls
}

// expectAnswers waits until the client outside gets answers from all URLs, through every router and every node.
func (r *rack) expectAnswers(ctx context.Context, urls []string) {
	GinkgoHelper()
	for _, url := range urls {
		for range 3 * len(nodes()) { // Each is another connection, and takes another path.
			Eventually(ctx, func() error {
				_, err := r.Exec(ctx, topology.External, "curl", "--silent", "--fail", "--max-time", "1", url)
				return err
			}, patience, interval).Should(Succeed(), url)
		}
	}
}

// addresses returns the URLs of the addresses that Herald gave to the Services of the world, once it has.
func (r *rack) addresses(ctx context.Context) []string {
	GinkgoHelper()
	var urls []string
	Eventually(ctx, func(g Gomega) {
		urls = nil
		for _, name := range []string{"local", "anywhere"} {
			var service corev1.Service
			g.Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, &service)).To(Succeed())
			addresses := slices.Clone(service.Spec.ExternalIPs)
			for _, ingress := range service.Status.LoadBalancer.Ingress {
				addresses = append(addresses, ingress.IP)
			}
			g.Expect(addresses).NotTo(BeEmpty(), "addresses of Service %s", name)
			for _, address := range addresses {
				urls = append(urls, "http://"+address+"/")
			}
		}
	}, soon, interval).Should(Succeed())
	return urls
}

// expectNoAddresses expects that the Services of the world have no address for the outside.
func (r *rack) expectNoAddresses(ctx context.Context) {
	GinkgoHelper()
	for _, name := range []string{"local", "anywhere"} {
		var service corev1.Service
		Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, &service)).To(Succeed())
		Expect(service.Spec.ExternalIPs).To(BeEmpty(), name)
		Expect(service.Status.LoadBalancer.Ingress).To(BeEmpty(), name)
	}
}

// expectRunning waits until managers and agents of a version run, and nothing of any other.
func (r *rack) expectRunning(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var reports v1alpha1.BGPNodeList
		g.Expect(r.api.List(ctx, &reports)).To(Succeed())
		g.Expect(reports.Items).To(HaveLen(len(nodes())))
		g.Expect(reports.Items).To(HaveEach(HaveField("Status.AgentVersion", version)))
		var pods corev1.PodList
		g.Expect(r.api.List(ctx, &pods, client.InNamespace("herald-system"), client.MatchingLabels{"app.kubernetes.io/name": "herald"})).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(len(nodes()) + 2))
		for i := range pods.Items {
			pod := &pods.Items[i]
			g.Expect(pod.Spec.Containers[0].Image).To(HaveSuffix(":"+version), pod.Name)
			g.Expect(pod.Status.Conditions).To(ContainElement(And(
				HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))), pod.Name)
		}
	}, patience, interval).Should(Succeed())
}

// expectNoTrace expects that nothing in the cluster or on its nodes speaks of Herald but what users wrote: their Service's wish
// for an address.
func (r *rack) expectNoTrace(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, r.traces, patience, interval).Should(BeEmpty())
	for _, node := range nodes() {
		tables, err := r.Exec(ctx, node, "nft", "list", "tables")
		Expect(err).NotTo(HaveOccurred())
		Expect(tables).NotTo(ContainSubstring("herald"), node)
		files, err := r.Exec(ctx, node, "sh", "-c", "ls -A /run/herald 2>/dev/null || true")
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(BeEmpty(), "/run/herald on %s", node)
	}
}

// traces returns the lines of all objects in the cluster, but events, that speak of Herald. It fails for a moment where a kind
// has just gone.
func (r *rack) traces(ctx context.Context) ([]string, error) {
	resources, err := r.Kubectl(ctx, "api-resources", "--verbs=list", "-o", "name")
	if err != nil {
		return nil, err
	}
	kinds := slices.DeleteFunc(lines(resources), func(kind string) bool {
		return strings.HasPrefix(kind, "events") || kind == "componentstatuses"
	})
	all, err := r.Kubectl(ctx, "get", strings.Join(kinds, ","), "-A", "-o", "yaml")
	if err != nil {
		return nil, err
	}
	var traces []string
	name := ""
	for line := range strings.Lines(all) {
		if after, found := strings.CutPrefix(strings.TrimSpace(line), "name: "); found {
			name = after
		}
		if strings.Contains(strings.ToLower(line), "herald") && !strings.Contains(line, v1alpha1.AnnotationAssignExternalIP) {
			traces = append(traces, fmt.Sprintf("%s: %s", strings.TrimSpace(name), strings.TrimSpace(line)))
		}
	}
	return traces, nil
}

// forVersion makes commands that name the present version name another.
func forVersion(commands, version string) string {
	return strings.NewReplacer(present, version, strings.TrimPrefix(present, "v"), strings.TrimPrefix(version, "v")).Replace(commands)
}
