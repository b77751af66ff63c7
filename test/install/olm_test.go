package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/lab/topology"
)

// lifecycle is the Operator Lifecycle Manager in a rack: its two operators, and a registry with a catalog, run on the control
// plane's host, built from their own modules. What they would run pods for is only the unpacking of bundles from images: the
// catalog holds what its bundles hold.
type lifecycle struct {
	r *rack
	// scratch has the catalogs, a directory for each version, and the logs.
	scratch string
	// stopRegistry stops the registry that runs.
	stopRegistry func()
	running      []string
}

const (
	registryAddress = "127.0.0.1:50051"
	// serviceOfWebhooks is what OLM calls the Service that it makes for the webhooks of the Deployment herald-manager.
	serviceOfWebhooks = "herald-manager-service"
)

// catalogs makes a bundle of each version, and a catalog of it, as a release does.
func (m *lifecycle) catalogs(ctx context.Context) {
	GinkgoHelper()
	m.hack(ctx, "bundle.sh", "--version", present, filepath.Join(m.scratch, "bundles", present))
	m.hack(ctx, "bundle.sh", "--version", next, "--replaces", present, filepath.Join(m.scratch, "bundles", next))
	for _, version := range []string{present, next} {
		m.hack(ctx, "catalog.sh", filepath.Join(m.scratch, version), filepath.Join(m.scratch, "bundles", version, "bundle"))
	}
}

// published has a version's release name a catalog that is served here and not by a pod.
func (m *lifecycle) published(version string) {
	GinkgoHelper()
	file := filepath.Join(m.r.released(version), "olm.yaml")
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	image := "image: ghcr.io/herald-network/herald-catalog:" + version
	Expect(string(text)).To(ContainSubstring(image))
	text = []byte(strings.Replace(string(text), image, "address: "+registryAddress, 1))
	Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
}

func (m *lifecycle) hack(ctx context.Context, script string, args ...string) {
	GinkgoHelper()
	process := exec.CommandContext(ctx, filepath.Join(m.r.root, "hack", script), args...)
	output, err := process.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s %v: %s", script, args, output)
}

// up starts everything, with the catalog of the present version.
func (m *lifecycle) up(ctx context.Context) {
	GinkgoHelper()
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/operator-framework/api")
	list.Dir = filepath.Join(m.r.root, "test/olm")
	module, err := list.Output()
	Expect(err).NotTo(HaveOccurred(), "find the module with OLM's CRDs")
	definitions, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), "crds", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(definitions).NotTo(BeEmpty())
	for _, file := range definitions {
		m.r.sh(ctx, "kubectl create -f "+file)
	}
	m.r.sh(ctx, "kubectl wait --for=condition=Established crds --all && kubectl create namespace olm")
	DeferCleanup(m.start("olm", "olm --namespace olm"))
	DeferCleanup(m.start("olm-catalog", `olm-catalog --namespace olm --kubeconfig "$KUBECONFIG"`))
	m.serve(present)
	DeferCleanup(func() { m.stopRegistry() })
}

// serve has the registry serve another version's catalog.
func (m *lifecycle) serve(version string) {
	GinkgoHelper()
	if m.stopRegistry != nil {
		m.stopRegistry()
	}
	_, port, _ := strings.Cut(registryAddress, ":")
	m.stopRegistry = m.start("opm", fmt.Sprintf("env TMPDIR=%s opm serve %s --port %s --cache-dir=", m.scratch, filepath.Join(m.scratch, version), port))
}

// start runs a program on the control plane's host until it is stopped.
func (m *lifecycle) start(name, command string) (stop func()) {
	GinkgoHelper()
	m.running = append(m.running, name)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := m.r.Exec(ctx, topology.ControlPlane, "bash", "-euc",
			fmt.Sprintf("PATH=%s:$PATH; exec %s >>%s 2>&1", filepath.Join(m.r.root, "bin"), command, m.log(name)))
		if ctx.Err() == nil {
			err = errors.Join(fmt.Errorf("%s ended by itself", name), err)
		} else {
			err = nil
		}
		ended <- err
	}()
	return func() {
		cancel()
		Expect(<-ended).NotTo(HaveOccurred())
	}
}

func (m *lifecycle) log(name string) string { return filepath.Join(m.scratch, name+".log") }

// dumpIfFailed adds to the report of a case that failed what OLM says.
func (m *lifecycle) dumpIfFailed(ctx context.Context) {
	if !CurrentSpecReport().Failed() || m.r.Lab == nil {
		return
	}
	add := func(name, text string, err error) {
		all := strings.Split(text, "\n")
		AddReportEntry(name, fmt.Sprintf("%s\n(%v)", strings.Join(all[max(0, len(all)-150):], "\n"), err), ReportEntryVisibilityFailureOrVerbose)
	}
	objects, err := m.r.Kubectl(ctx, "get", "subscriptions,installplans,clusterserviceversions,catalogsources,operatorgroups", "-A", "-o", "yaml")
	add("OLM's objects", objects, err)
	for _, name := range m.running {
		text, err := os.ReadFile(m.log(name))
		add("log of "+name, string(text), err)
	}
}

// versions returns a line for each ClusterServiceVersion.
func (m *lifecycle) versions(ctx context.Context) (string, error) {
	return m.r.Kubectl(ctx, "-n", "herald-system", "get", "clusterserviceversions", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.status.reason}{"\n"}{end}`)
}

// succeeded are the lines where a version has succeeded and is the only one.
func succeeded(version string) string { return "herald." + version + " Succeeded InstallSucceeded\n" }

func (m *lifecycle) expectSucceeded(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(m.versions, patience, interval).WithContext(ctx).Should(Equal(succeeded(version)))
}

// refusal is a part of what the webhooks say to a mistake.
const refusal = `peerIP must be the address of a router, but it is the InternalIP of the node "node-2"`

// mistake makes one, and returns the answer, and whether it passed.
func (r *rack) mistake(ctx context.Context) (answer string, passed bool) {
	return r.Say(ctx, `
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: oops}
spec: {peerIP: 192.168.1.12, asNumber: 64512}
`, "apply", "--dry-run=server", "-f", "-")
}

// policyOwners returns who owns Herald's policies, by their names.
func (r *rack) policyOwners(ctx context.Context) map[string]string {
	GinkgoHelper()
	var policies admissionv1.ValidatingAdmissionPolicyList
	Expect(r.api.List(ctx, &policies, client.MatchingLabels{"app.kubernetes.io/name": "herald"})).To(Succeed())
	owners := map[string]string{}
	for i := range policies.Items {
		for _, owner := range policies.Items[i].OwnerReferences {
			owners[policies.Items[i].Name] = fmt.Sprintf("%s %s %s", owner.Kind, owner.Name, owner.UID)
		}
	}
	return owners
}

// withOLM is the installation by OLM, which upgrades in its own way, and does not downgrade.
const withOLM = "With OLM"

// olmCases take an installation by OLM through its life.
func olmCases(r *rack, objects map[string]map[string]string) {
	m := &lifecycle{r: r}
	var urls []string

	BeforeAll(func(ctx SpecContext) {
		m.scratch = GinkgoT().TempDir()
		m.catalogs(ctx)
		r.up(ctx)
		m.published(present)
		m.published(next)
		m.up(ctx)
	})
	JustAfterEach(func(ctx SpecContext) { r.dumpIfFailed(ctx); m.dumpIfFailed(ctx) })

	It("runs after the commands that README.md says", func(ctx SpecContext) {
		commands := r.documented("README.md", withOLM)
		Expect(lines(commands)).To(HaveLen(3), "an installation takes three lines")
		r.sh(ctx, commands)
		m.expectSucceeded(ctx, present)
		r.expectRunning(ctx, present)
		objects[withOLM] = r.installed(ctx)
	})

	It("has its webhooks served with OLM's certificate", func(ctx SpecContext) {
		var certificate corev1.Secret
		Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "herald-system", Name: serviceOfWebhooks + "-cert"}, &certificate)).To(Succeed())
		var configurations admissionv1.ValidatingWebhookConfigurationList
		Expect(r.api.List(ctx, &configurations, client.MatchingLabels{"olm.owner": "herald." + present})).To(Succeed())
		Expect(configurations.Items).To(HaveLen(7))
		for i := range configurations.Items {
			webhook := configurations.Items[i].Webhooks[0]
			Expect(webhook.ClientConfig.CABundle).To(Equal(certificate.Data["olmCAKey"]), webhook.Name)
			Expect(webhook.ClientConfig.Service.Name).To(Equal(serviceOfWebhooks), webhook.Name)
		}
		own := r.api.Get(ctx, client.ObjectKey{Namespace: "herald-system", Name: "herald-webhook-server"}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(own)).To(BeTrue(), "the manager made a certificate of its own: %v", own)

		answer, passed := r.mistake(ctx)
		Expect(passed).To(BeFalse())
		Expect(answer).To(ContainSubstring(refusal))
	})

	It("gives rights where they are needed and nowhere else", func(ctx SpecContext) {
		for question, answer := range map[string]string{
			"herald-manager get secrets -n herald-system":               "yes",
			"herald-manager get secrets -n default":                     "no",
			"herald-manager create leases -n default":                   "no",
			"herald-manager get clusterroles/herald-manager":            "yes",
			"herald-agent get daemonsets/herald-agent -n herald-system": "yes",
			"herald-agent create leases -n default":                     "no",
			"herald-agent create events -n default":                     "yes",
		} {
			account, what, _ := strings.Cut(question, " ")
			output, _ := r.Say(ctx, "", append(append([]string{"auth", "can-i"}, strings.Fields(what)...),
				"--as=system:serviceaccount:herald-system:"+account)...)
			Expect(lines(output)).To(ContainElement(answer), question)
		}
	})

	It("passes the tour", func(ctx SpecContext) { r.tour(ctx) })

	It("serves Services", func(ctx SpecContext) { urls = r.serve(ctx) })

	It("loses no request and no route, and lets no mistake pass, while OLM replaces it by the next version", func(ctx SpecContext) {
		owners := r.policyOwners(ctx)
		Expect(owners).To(HaveLen(3))
		expectUntouched, expectAllAnswered := r.watchRoutes(), r.sendTraffic(ctx, rate, urls...)
		m.serve(next)
		upgraded := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(upgraded)
			r.sh(ctx, forVersion(r.documented("docs/install.md", "Upgrading with OLM"), next))
		}()
		answers := map[string]int{}
		Eventually(ctx, func(g Gomega) {
			answer, passed := r.mistake(ctx)
			if passed {
				StopTrying("a mistake passed: " + answer).Now()
			}
			answers[answer]++
			// OLM reuses the certificate of the version before, loses it with that version, and then makes another.
			var certificate corev1.Secret
			g.Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "herald-system", Name: serviceOfWebhooks + "-cert"}, &certificate)).To(Succeed())
			g.Expect(certificate.OwnerReferences).To(ConsistOf(HaveField("Name", "herald."+next)))
			g.Expect(m.versions(ctx)).To(Equal(succeeded(next)))
			g.Expect(answer).To(ContainSubstring(refusal))
		}, patience, interval).Should(Succeed())
		Eventually(ctx, upgraded, patience).Should(BeClosed())
		r.expectRunning(ctx, next)
		AddReportEntry("answers to a mistake", answers)
		AddReportEntry("requests answered", expectAllAnswered())
		expectUntouched()
		Expect(r.addresses(ctx)).To(Equal(urls), "addresses of Services")
		Expect(r.policyOwners(ctx)).To(Equal(owners), "policies")
		Expect(r.Kubectl(ctx, "get", "clusterroles,clusterrolebindings,validatingwebhookconfigurations", "-l", "olm.owner=herald."+present, "-o", "name")).
			To(BeEmpty(), "what is left of the version before")
	})

	It("is made anew by OLM where somebody deletes its Deployment", func(ctx SpecContext) {
		uid := func() (string, error) {
			return r.Kubectl(ctx, "-n", "herald-system", "get", "deployments", "-o", "jsonpath={.items[*].metadata.uid}")
		}
		before, err := uid()
		Expect(err).NotTo(HaveOccurred())
		r.sh(ctx, "kubectl -n herald-system delete deployment herald-manager")
		Eventually(ctx, uid, patience, interval).ShouldNot(Or(Equal(before), BeEmpty()))
		m.expectSucceeded(ctx, next)
		r.expectRunning(ctx, next)
		for _, block := range []string{clusterBlock, balancerBlock} {
			r.expectRoute(ctx, block)
		}
	})

	It("withdraws its routes and leaves nothing behind when it is removed", func(ctx SpecContext) {
		before := r.addresses(ctx)
		commands := strings.SplitAfter(r.documented("docs/removing.md", "With OLM"), "\n")
		r.sh(ctx, commands[0])
		for _, router := range r.routers {
			Eventually(ctx, router.Prefixes, 2*soon, interval).Should(BeEmpty(), router.Host)
		}
		Eventually(ctx, func() (string, error) {
			return r.Kubectl(ctx, "get", "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings", "-o", "name")
		}, soon, interval).Should(BeEmpty(), "what could be in the way of whoever edits a Service")
		r.sh(ctx, strings.Join(commands[1:], ""))
		r.expectNoTrace(ctx)
		Expect(r.addresses(ctx)).To(Equal(before), "Services keep their addresses")
	})
}
