package part_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/host"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/sandbox"
)

func TestMain(m *testing.M) {
	proc.Enter()
	os.Exit(sandbox.RunTests(context.Background(), m))
}

// newRunner returns a runner for a part on a host of its own whose processes are shell scripts that are ready when
// they have made /run/ready.
func newRunner(t *testing.T, scripts ...string) *part.Runner {
	t.Helper()
	h := host.In(t.TempDir(), strings.ToLower(t.Name()))
	if err := h.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := netns.Create(h.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(h.Name); err != nil {
			t.Error(err)
		}
	})
	p := part.Part{Name: "thing", Host: h.Name}
	for i, script := range scripts {
		ready := fmt.Sprintf("/run/ready-%d", i)
		args := []string{"sh", "-c", script, "sh", ready}
		p.Processes = append(p.Processes, part.Process{Args: args, ReadyFile: ready})
	}
	r := part.NewRunner(p, h, filepath.Join(h.Dir, "log"))
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

const serves = `echo serving; touch "$1"; exec sleep 1000`

func TestStartStopAndKill(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, serves)
	g.Expect(r.Running()).To(BeFalse())
	g.Expect(r.Kill(t.Context())).To(MatchError("thing does not run"))
	for range 2 {
		g.Expect(r.Start(t.Context())).To(Succeed())
		g.Expect(r.Running()).To(BeTrue())
		g.Expect(r.Kill(t.Context())).To(Succeed())
		g.Expect(r.Running()).To(BeFalse())
	}
	g.Expect(r.Start(t.Context())).To(Succeed())
	g.Expect(r.Start(t.Context())).To(Succeed(), "one that runs")
	g.Expect(r.Stop(t.Context())).To(Succeed())
	g.Expect(r.Stop(t.Context())).To(Succeed(), "one that does not")
	logs, err := r.Logs()
	g.Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(logs[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Count(string(text), "serving")).To(Equal(3), "one log over all starts, each process started once")
}

func TestPausedOneIsThereAndDoesNothing(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, `trap 'echo in the ordinary way; exit' TERM; echo $$ > /run/pid; touch "$1"; while :; do sleep 0.01; done`)
	g.Expect(r.Pause(t.Context())).To(MatchError("thing does not run"))
	g.Expect(r.Resume(t.Context())).To(MatchError("thing does not run"))
	g.Expect(r.Start(t.Context())).To(Succeed())
	logs, err := r.Logs()
	g.Expect(err).NotTo(HaveOccurred())
	pid, err := os.ReadFile(filepath.Join(filepath.Dir(logs[0]), "rootfs", "run", "pid"))
	g.Expect(err).NotTo(HaveOccurred())
	state := func() (string, error) {
		stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		return rest[:1], err
	}
	const stopped = "T"
	g.Expect(r.Resume(t.Context())).To(Succeed(), "one that is not paused")
	g.Expect(r.Pause(t.Context())).To(Succeed())
	g.Eventually(state).Should(Equal(stopped))
	g.Expect([]bool{r.Running(), r.Paused()}).To(Equal([]bool{true, true}))
	g.Expect(r.Resume(t.Context())).To(Succeed())
	g.Eventually(state).ShouldNot(Equal(stopped))
	g.Expect(r.Paused()).To(BeFalse())

	g.Expect(r.Pause(t.Context())).To(Succeed())
	g.Expect(r.Stop(t.Context())).To(Succeed())
	g.Expect(os.ReadFile(logs[0])).To(ContainSubstring("in the ordinary way"))
	g.Expect(r.Start(t.Context())).To(Succeed())
	g.Expect(r.Paused()).To(BeFalse())
	g.Expect(r.Pause(t.Context())).To(Succeed())
	g.Expect(r.Kill(t.Context())).To(Succeed())
	g.Expect(r.Running()).To(BeFalse())
}

func TestSecondProcessWaitsForTheFirst(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, `mkfifo /run/fifo; touch "$1"; exec sleep 1000`, `test -p /run/fifo && touch "$1" && exec sleep 1000`)
	g.Expect(r.Start(t.Context())).To(Succeed())
}

func TestOneThatEndsBeforeItIsReadySaysWhy(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, serves, `echo no space left; exit 3`)
	err := r.Start(t.Context())
	g.Expect(err).To(MatchError(And(
		ContainSubstring("start thing: sh ended with status 3 before it was ready"),
		ContainSubstring("The end of "), ContainSubstring("no space left"),
	)))
	g.Expect(r.Running()).To(BeFalse(), "the first process, too")
}

func TestOneThatIsNotWaitedForIsEnded(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, `exec sleep 1000`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Expect(r.Start(ctx)).To(MatchError(context.Canceled))
	g.Expect(r.Running()).To(BeFalse())
}

func TestPartIsStoppedOnceOneOfItsProcessesIs(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, serves, `touch "$1"; exec sleep 0`)
	g.Expect(r.Start(t.Context())).To(Succeed())
	g.Eventually(r.Running).Should(BeFalse())
	g.Expect(r.Stop(t.Context())).To(Succeed())
}

func TestRestartIsForWhatShallRun(t *testing.T) {
	g := NewWithT(t)
	r := newRunner(t, `touch "$1"; [ -e /run/once ] && exec sleep 1000; touch /run/once`)
	g.Expect(r.Restart(t.Context())).To(Succeed())
	g.Expect(r.Running()).To(BeFalse(), "never started")
	g.Expect(r.Start(t.Context())).To(Succeed())
	g.Eventually(r.Running).Should(BeFalse(), "ends by itself")
	g.Expect(r.Restart(t.Context())).To(Succeed())
	g.Expect(r.Running()).To(BeTrue())
	g.Expect(r.Restart(t.Context())).To(Succeed())
	g.Expect(r.Running()).To(BeTrue())
	g.Expect(r.Kill(t.Context())).To(Succeed())
	g.Expect(r.Restart(t.Context())).To(Succeed())
	g.Expect(r.Running()).To(BeFalse(), "killed by command")
}

func TestTailIsTheEndOfALog(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "log")
	g.Expect(part.Tail(path)).To(BeEmpty(), "no log")
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	g.Expect(os.WriteFile(path, []byte(text.String()), 0o644)).To(Succeed())
	g.Expect(part.Tail(path)).To(And(HavePrefix("\nThe end of "+path+":\nline 80\n"), HaveSuffix("line 99")))
}
