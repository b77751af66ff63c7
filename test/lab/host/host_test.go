package host_test

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/host"
	"github.com/herald-network/herald/test/lab/proc"
)

func TestHostSeesItsOwnRunAndWhatIsInItsOwnEtc(t *testing.T) {
	g := NewWithT(t)
	h := host.In(t.TempDir(), "tor")
	g.Expect(h.Prepare()).To(Succeed())
	g.Expect(h.WriteFile("/etc/bird/bird.conf", "router id 1;")).To(Succeed())
	g.Expect(h.WriteFile("/etc/group", "root:x:0:")).To(Succeed())
	g.Expect(os.ReadFile(h.Path("/etc/bird/bird.conf"))).To(BeEquivalentTo("router id 1;"))

	view, err := h.View()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(view.Netns).To(Equal("tor"))
	g.Expect(view.Hostname).To(Equal("tor"))
	g.Expect(view.Mounts).To(ConsistOf(
		proc.Mount{Source: h.Path("/run"), Target: "/run"},
		proc.Mount{Source: h.Path("/etc/bird"), Target: "/etc/bird"},
		proc.Mount{Source: h.Path("/etc/group"), Target: "/etc/group"},
	))
}
