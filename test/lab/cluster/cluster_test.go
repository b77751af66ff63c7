package cluster_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/herald-network/herald/test/lab/cluster"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

var update = flag.Bool("update", false, "write the golden files")

func newCluster(t *testing.T, dir statedir.Dir) cluster.Cluster {
	t.Helper()
	rack, err := topology.New(topology.Options{Nodes: 1, Routers: 1, IPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	binaries := controlplane.Binaries{}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		binaries[name] = "/bin/" + name
	}
	return cluster.New(rack, binaries, dir)
}

func TestPartsAreStartedAsGolden(t *testing.T) {
	c := newCluster(t, "/lab")
	var text strings.Builder
	for _, p := range []part.Part{c.Etcd(), c.APIServer(), c.ControllerManager(), c.Scheduler(), c.KubeProxy("node-1")} {
		fmt.Fprintf(&text, "%s on %s\n", p.Name, p.Host)
		for _, process := range p.Processes {
			fmt.Fprintf(&text, "  ready when %s\n  %s\n", process.ReadyURL, strings.Join(process.Args, "\n    "))
		}
	}
	const golden = "testdata/parts.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestFilesThatPartsAreGivenAreWritten(t *testing.T) {
	g := NewWithT(t)
	dir := statedir.Dir(t.TempDir())
	c := newCluster(t, dir).Audited()
	g.Expect(c.WriteFiles()).To(Succeed())
	for _, p := range []part.Part{c.APIServer(), c.ControllerManager(), c.Scheduler(), c.KubeProxy("node-1")} {
		for _, arg := range p.Processes[0].Args {
			if _, path, ok := strings.Cut(arg, "="+string(dir)); ok && !strings.HasSuffix(arg, ".log") {
				g.Expect(string(dir)+path).To(BeARegularFile(), "%s %s", p.Name, arg)
			}
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", dir.Kubeconfig())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(config.Host).To(Equal("https://192.168.1.100:6443"))
}
