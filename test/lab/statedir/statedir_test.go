package statedir_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

func open(t *testing.T) statedir.Dir {
	t.Helper()
	dir, err := statedir.Open(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// holder starts a process that holds the lock as a lab's first process does.
func holder(t *testing.T, dir statedir.Dir) *exec.Cmd {
	t.Helper()
	lock, err := dir.Claim()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	cmd.ExtraFiles = []*os.File{lock}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if err := dir.WriteProcess(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	lock, err := dir.Claim()
	g.Expect(err).NotTo(HaveOccurred())
	defer lock.Close()
	lab := statedir.Lab{
		Options: topology.Options{Nodes: 3, Routers: 2, IPv6: true}, Daemons: []router.Kind{router.FRR, router.BIRD}, Herald: true,
		Binaries: map[string]string{"etcd": "/bin/etcd"}, Self: "/bin/lab", HeraldBinaries: "/bin", Checkout: "/src",
	}
	g.Expect(dir.Write(lab)).To(Succeed())
	g.Expect(dir.Read()).To(Equal(lab))
}

func TestDirectoryHoldsOneLab(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	first := holder(t, dir)
	_, err := dir.Claim()
	g.Expect(err).To(MatchError(ContainSubstring("a lab is already up in " + string(dir))))
	g.Expect(dir.Process()).To(Equal(first.Process.Pid))
}

func TestRemoveEndsTheLab(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	first := holder(t, dir)
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	g.Expect(dir.Remove(t.Context())).To(Succeed())
	g.Expect(string(dir)).NotTo(BeADirectory())
	g.Expect(<-ended).To(MatchError("signal: killed"))
	g.Expect(dir.Remove(t.Context())).To(Succeed(), "twice")
}

func TestWhatACrashedLabLeftMakesRoom(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	first := holder(t, dir)
	g.Expect(os.WriteFile(dir.Path("kubeconfig"), nil, 0o600)).To(Succeed())
	g.Expect(first.Process.Kill()).To(Succeed())
	g.Expect(first.Wait()).To(MatchError("signal: killed"))
	_, err := dir.Process()
	g.Expect(err).To(MatchError(ContainSubstring("no lab is up")))

	lock, err := dir.Claim()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(dir.Path("kubeconfig")).NotTo(BeAnExistingFile())
	g.Expect(dir.Path("logs")).To(BeADirectory())
	g.Expect(lock.Close()).To(Succeed())
	g.Expect(dir.Remove(t.Context())).To(Succeed())
	g.Expect(string(dir)).NotTo(BeADirectory())
}

func TestProcessThatGotTheIDIsNotTakenForTheLab(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	lock, err := dir.Claim()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(lock.Close()).To(Succeed())
	stranger := exec.CommandContext(t.Context(), "sleep", "1000")
	g.Expect(stranger.Start()).To(Succeed())
	g.Expect(dir.WriteProcess(stranger.Process.Pid)).To(Succeed())

	_, err = dir.Process()
	g.Expect(err).To(MatchError(ContainSubstring("no lab is up")))
	g.Expect(dir.Remove(t.Context())).To(Succeed())
	g.Expect(stranger.Process.Signal(os.Interrupt)).To(Succeed(), "it was not killed")
	g.Expect(stranger.Wait()).To(MatchError("signal: interrupt"))
}

func TestDirectoryOfSomethingElseIsRefused(t *testing.T) {
	g := NewWithT(t)
	dir, err := statedir.Open(t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(dir.Path("thesis.tex"), nil, 0o644)).To(Succeed())
	_, err = dir.Claim()
	g.Expect(err).To(MatchError(ContainSubstring("has other files in it")))
	g.Expect(dir.Remove(t.Context())).To(MatchError(ContainSubstring("has other files in it")))
	g.Expect(dir.Path("thesis.tex")).To(BeAnExistingFile())
}

func TestNamesWithASlashHaveALogOfTheirOwn(t *testing.T) {
	g := NewWithT(t)
	dir := open(t)
	path := dir.LogPath("kube-proxy/node-1")
	g.Expect(filepath.Dir(path)).To(Equal(dir.Path("logs")))
	g.Expect(strings.TrimSuffix(filepath.Base(path), ".log")).To(Equal("kube-proxy_node-1"))
}
