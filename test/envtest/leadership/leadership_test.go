// Package leadership_test runs two managers, as processes, against a real API server, and has the one that leads stop in the middle
// of its work for longer than it may lead.
package leadership_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/envtest/apiserver"
)

const (
	// pausesVariable is the environment variable that says how often a leader is stopped; fewPauses is its default.
	pausesVariable, fewPauses = "HERALD_PAUSES", 3
	// longestDouble is how long an address may be two Services' at most.
	longestDouble = 2 * time.Second
	// blocks and pool are what addresses are assigned from.
	blocks = `
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata: {name: default}
spec:
  serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]
`
	pool = `
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: public}
spec:
  addresses: [192.168.4.0/25]
`
)

// rack is an API server with two managers.
type rack struct {
	*testing.T
	*WithT
	client   client.Client
	replicas []*replica
	observer *observer
}

func newRack(t *testing.T) *rack {
	t.Helper()
	r := &rack{T: t, WithT: NewWithT(t)}
	r.SetDefaultEventuallyTimeout(time.Minute)
	r.SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
	server := apiserver.Start(t)
	for _, file := range []string{"namespace/namespace.yaml", "rbac/manager.yaml", "rbac/agent.yaml", "manager/deployment.yaml"} {
		server.MustKubectl(t, "", "apply", "-f", filepath.Join(server.Root, "config", file))
	}
	for _, manifest := range []string{blocks, pool} {
		server.MustKubectl(t, manifest, "apply", "-f", "-")
	}
	scheme := runtime.NewScheme()
	r.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	server.Config.QPS = -1
	var err error
	r.client, err = client.New(server.Config, client.Options{Scheme: scheme})
	r.Expect(err).NotTo(HaveOccurred())
	r.observer = observe(t, server.Config)

	directory := t.TempDir()
	program := filepath.Join(directory, "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/manager")
	build.Dir = server.Root
	output, err := build.CombinedOutput()
	r.Expect(err).NotTo(HaveOccurred(), string(output))
	configuration := filepath.Join(directory, "manager.yaml")
	r.Expect(os.WriteFile(configuration, []byte("agent: {image: herald:v1}\n"), 0o600)).To(Succeed())
	kubeconfig := r.kubeconfig(server, directory)
	for i := range 2 {
		one := &replica{name: fmt.Sprintf("manager %d", i+1), program: program, args: []string{
			"--kubeconfig=" + kubeconfig, "--namespace=herald-system", "--config=" + configuration, "--log-format=text",
			"--health-address=0", "--metrics-address=0", "--webhook-port=" + unusedPort(t),
			"--leader-elect-lease-duration=" + leaseDuration.String(),
			"--leader-elect-renew-deadline=" + renewDeadline.String(),
			"--leader-elect-retry-period=" + retryPeriod.String(),
		}}
		one.keep(t)
		r.replicas = append(r.replicas, one)
	}
	return r
}

// kubeconfig writes a kubeconfig with the manager's rights and no others.
func (r *rack) kubeconfig(server *apiserver.Server, directory string) string {
	r.Helper()
	path := filepath.Join(directory, "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["rack"] = &clientcmdapi.Cluster{
		Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData,
	}
	config.AuthInfos["manager"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: server.Config.CertData, ClientKeyData: server.Config.KeyData,
		Impersonate: "system:serviceaccount:herald-system:herald-manager",
	}
	config.Contexts["rack"] = &clientcmdapi.Context{Cluster: "rack", AuthInfo: "manager"}
	config.CurrentContext = "rack"
	r.Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

func unusedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// leader waits until a process leads that is not the given one.
func (r *rack) leader(besides *process) *process {
	r.Helper()
	var leads *process
	r.Eventually(func() bool {
		for _, one := range r.replicas {
			if p := one.current(); p != besides && p.isLeading() {
				leads = p
				return true
			}
		}
		return false
	}).Should(BeTrue(), "a manager leads")
	return leads
}

// wait lets a time pass in which managers work.
func (r *rack) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// TestTwoManagers has leaders stop for longer than their Lease lasts, under a stream of Services, and go on.
func TestTwoManagers(t *testing.T) {
	pauses := fewPauses
	if text := os.Getenv(pausesVariable); text != "" {
		var err error
		if pauses, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s is %q, want a number", pausesVariable, text)
		}
	}
	r := newRack(t)
	r.leader(nil)
	l := startLoad(t, r.client)
	for range pauses {
		r.pause()
	}
	r.wait(time.Second)
	l.stop()

	for _, name := range l.left {
		r.Eventually(func() []string { return r.observer.of("default/" + name) }).Should(HaveLen(1), "addresses of "+name)
	}
	given, changed := r.observer.counts()
	ended, open := r.observer.doubles()
	t.Logf("%d pauses, %d Services made, %d addresses given, %d of them in place of another; %d starts of managers; doubles: %v",
		pauses, l.made, given, changed, r.replicas[0].starts()+r.replicas[1].starts(), ended)
	r.expectNoDoubles()
	r.Expect(open).To(BeEmpty(), "doubles that are left")
	if given < pauses*perSecond {
		t.Errorf("%d addresses were given, too few for a test", given)
	}

	r.mends(l.left)
}

// pause stops the leader at some moment of its work, until another leads and works, and lets it go on. It ends then.
func (r *rack) pause() {
	r.Helper()
	first := r.leader(nil)
	r.wait(rand.N(time.Second))
	r.Expect(first.signal(syscall.SIGSTOP)).To(Succeed())
	second := r.leader(first)
	before, _ := r.observer.counts()
	r.Eventually(func() bool {
		now, _ := r.observer.counts()
		return now > before || second.hasEnded()
	}).Should(BeTrue(), "the other assigns addresses")
	r.wait(rand.N(500 * time.Millisecond))
	r.Expect(first.signal(syscall.SIGCONT)).To(Succeed())
	r.Eventually(first.hasEnded).Should(BeTrue(), "the manager that led ends")
}

func (r *rack) expectNoDoubles() {
	r.Helper()
	ended, _ := r.observer.doubles()
	for _, d := range ended {
		if d.lived > longestDouble {
			r.Errorf("a double lived too long: %s", d)
		}
	}
}

// mends writes doubles as a manager would that could not be held back, and sees the older Service keep the address.
func (r *rack) mends(names []string) {
	r.Helper()
	r.leader(nil)
	services := make([]*corev1.Service, 0, len(names))
	for _, name := range names {
		service := balanced(name)
		r.Expect(r.client.Get(r.Context(), client.ObjectKeyFromObject(service), service)).To(Succeed())
		services = append(services, service)
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range 4 {
		older, younger := services[i], services[len(services)-1-i]
		given, taken := younger, r.observer.of("default/"+older.Name)
		if i%2 == 1 { // The older one comes to have the address of the younger one.
			given, taken = older, r.observer.of("default/"+younger.Name)
		}
		before, _ := r.observer.doubles()
		r.write(given, taken[0])
		r.Eventually(func() []double { ended, _ := r.observer.doubles(); return ended }).Should(HaveLen(len(before)+1), "the double is mended")
		r.Expect(r.observer.of("default/"+older.Name)).To(Equal(taken), "the older one has the address")
		r.Eventually(func() []string { return r.observer.of("default/" + younger.Name) }).Should(
			And(HaveLen(1), Not(Equal(taken))), "the younger one has another")
		r.Eventually(func() []string { return r.warnings(younger) }).Should(ContainElement(ContainSubstring("AddressConflict")))
	}
	ended, open := r.observer.doubles()
	r.Logf("doubles that were mended: %v", ended)
	r.expectNoDoubles()
	r.Expect(open).To(BeEmpty(), "doubles that are left")
}

// write gives a Service an address, with the mark of Herald's.
func (r *rack) write(service *corev1.Service, address string) {
	r.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": address, "ipMode": "VIP"}}},
		"conditions": []any{map[string]any{
			"type": "herald.network/AddressAssigned", "status": "True", "reason": "Assigned",
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339), "message": address + " from ExternalIPPool public",
		}},
	}})
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.client.Status().Patch(r.Context(), balanced(service.Name), client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// warnings returns the notes of the Warning events on a Service.
func (r *rack) warnings(service *corev1.Service) []string {
	var list eventsv1.EventList
	if err := r.client.List(r.Context(), &list, client.InNamespace("default")); err != nil {
		r.Errorf("list events: %v", err)
	}
	var notes []string
	for i := range list.Items {
		if e := &list.Items[i]; e.Type == corev1.EventTypeWarning && e.Regarding.Name == service.Name {
			notes = append(notes, e.Reason+": "+e.Note)
		}
	}
	return notes
}
