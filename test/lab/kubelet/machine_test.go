package kubelet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/test/lab/echo"
	"github.com/herald-network/herald/test/lab/kubelet/podnet"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/network"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/sandbox"
	"github.com/herald-network/herald/test/lab/topology"
)

// TestMain makes this program serve as what the kubelet starts: the one that enters a view, and image lab/echo.
func TestMain(m *testing.M) {
	proc.Enter()
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		command := echo.Command()
		command.SetArgs(os.Args[2:])
		if err := command.ExecuteContext(context.Background()); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(sandbox.RunTests(context.Background(), m))
}

const realPods = `
metadata: {name: server, namespace: default, uid: uid-server}
spec:
  nodeName: node-1
  restartPolicy: Always
  terminationGracePeriodSeconds: 2
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: state, hostPath: {path: /run/herald, type: DirectoryOrCreate}}
  - {name: scratch, emptyDir: {}}
  containers:
  - name: echo
    image: lab/echo
    ports: [{containerPort: 8080, name: web}]
    readinessProbe: {httpGet: {path: /, port: web}, periodSeconds: 1}
    livenessProbe: {exec: {command: [test, -e, /etc/settings/level]}, periodSeconds: 1, failureThreshold: 1}
    volumeMounts:
    - {name: settings, mountPath: /etc/settings}
  - name: web
    image: nginx
    ports: [{containerPort: 80}]
  - name: shell
    image: nginx
    command: [sh, -c, "echo $(LEVEL) on $(hostname) sees $(cat /etc/settings/level /one/file) >/state/written; sleep 1000 & wait"]
    env: [{name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}]
    volumeMounts:
    - {name: settings, mountPath: /etc/settings}
    - {name: settings, mountPath: /one/file, subPath: level}
    - {name: state, mountPath: /state}
    - {name: scratch, mountPath: /deep/in/the/tree}
`

func TestRealProcessesInRealNamespaces(t *testing.T) {
	g := NewWithT(t)
	rack, err := topology.New(topology.Options{Nodes: 1, Routers: 1, IPv6: true})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = network.Build(rack, "")
	g.Expect(err).NotTo(HaveOccurred())
	node, _ := rack.Host("node-1")
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())

	pod := &corev1.Pod{}
	g.Expect(yaml.UnmarshalStrict([]byte(realPods), pod)).To(Succeed())
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}
	service.Spec = corev1.ServiceSpec{ClusterIP: "10.49.0.1", Ports: []corev1.ServicePort{{Port: 443}}}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}, Data: map[string]string{"level": "debug"}}
	client := newFakeClient(t, service, settings, pod)
	dir := t.TempDir()
	recorder := record.NewFakeRecorder(1000)
	k := newKubelet(Config{
		NodeName: "node-1", Addresses: node.Addresses(), PodCIDRs: node.PodCIDRs, REST: &rest.Config{},
		Dir: dir, Binaries: dir, Self: self, Log: testr.New(t),
	}, client, nil, recorder)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()

	g.Eventually(func() (bool, error) {
		p, err := client.CoreV1().Pods("default").Get(t.Context(), "server", metav1.GetOptions{})
		return isReady(p), err
	}, "20s", "50ms").Should(BeTrue())

	for _, r := range node.PodCIDRs {
		ip := r.Masked().Addr().Next().Next()
		answer, err := get(t.Context(), topology.ControlPlane, netip.AddrPortFrom(ip, 8080))
		controlPlane, _ := rack.Host(topology.ControlPlane)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer).To(HavePrefix("pod server on node-1 saw "))
		g.Expect(answer).To(ContainSubstring(sameFamily(controlPlane.Addresses(), ip).String()))
		page, err := get(t.Context(), topology.ControlPlane, netip.AddrPortFrom(ip, 80))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page).To(ContainSubstring("Welcome to nginx!"))
	}
	g.Eventually(func() (string, error) {
		log, err := os.ReadFile(filepath.Join(dir, "logs", "default_server_uid-server", "web.log"))
		return string(log), err
	}, "5s", "50ms").Should(And(ContainSubstring("192.168.1.100"), ContainSubstring("fd00:1::100")), "nginx's log")
	g.Eventually(func() (string, error) {
		text, err := os.ReadFile(filepath.Join(dir, "rootfs", "run", "herald", "written"))
		return strings.TrimSpace(string(text)), err
	}, "5s", "50ms").Should(Equal("debug on server sees debugdebug"))

	cancel()
	g.Eventually(ended, "10s").Should(Receive(BeNil()))
	close(recorder.Events)
	for event := range recorder.Events {
		g.Expect(event).NotTo(ContainSubstring("Liveness"), "the probe looks inside the container")
	}
	g.Expect(filepath.Join(dir, "pods", "uid-server")).NotTo(BeADirectory())
	g.Expect(filepath.Join(proc.NetnsDir, "pod-uid-server")).NotTo(BeAnExistingFile())
}

func TestAddressesOfPodsThatAreGoneAreGivenAgain(t *testing.T) {
	g := NewWithT(t)
	g.Expect(netns.Create("small")).To(Succeed())
	m := &machine{node: "small", pool: podnet.NewPool([]netip.Prefix{netip.MustParsePrefix("10.48.9.0/29")})} // .2 to .6
	for range 7 {
		addrs, err := m.attach("pod-small", false)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(m.detach("pod-small", false, addrs)).To(Succeed())
	}
	m.node = "absent"
	for range 7 {
		_, err := m.attach("pod-small", false)
		g.Expect(err).To(MatchError(ContainSubstring("absent")), "and not that all addresses are taken")
	}
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func sameFamily(list []netip.Addr, as netip.Addr) netip.Addr {
	for _, ip := range list {
		if ip.Is4() == as.Is4() {
			return ip
		}
	}
	return netip.Addr{}
}

// get requests / from within a network namespace.
func get(ctx context.Context, from string, at netip.AddrPort) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/", at), http.NoBody)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DialContext: netns.Dial(from), DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
