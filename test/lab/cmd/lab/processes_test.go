package main

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// state returns what `lab status` says of a process.
func (l cli) state(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(l.run(t, "status")) {
		if fields := strings.Fields(line); fields[0] == name {
			return fields[1]
		}
	}
	return "unknown"
}

func testProcesses(t *testing.T, l cli) {
	t.Helper()
	g := NewWithT(t)
	running := func(name string) string { return l.state(t, name) }
	g.Expect(running("etcd")).To(Equal("running"))
	g.Expect(running("kube-proxy/node-2")).To(Equal("running"))

	l.run(t, "stop", "tor")
	l.run(t, "stop", "tor")
	g.Expect(running("tor")).To(Equal("stopped"))
	g.Expect(l.try(t.Context(), "", "kill", "tor").stderr).To(ContainSubstring("tor does not run"))
	l.run(t, "start", "tor")
	l.run(t, "start", "tor")
	g.Expect(running("tor")).To(Equal("running"))
	l.run(t, "exec", "tor", "--", "birdc", "show", "status")

	l.run(t, "kill", "kube-apiserver")
	g.Expect(running("kube-apiserver")).To(Equal("stopped"))
	g.Expect(l.try(t.Context(), "", "kubectl", "get", "nodes").status).NotTo(BeZero())
	l.run(t, "start", "kube-apiserver")
	l.run(t, "kubectl", "get", "nodes")
	g.Expect(running("kube-controller-manager")).To(Equal("running"))

	g.Expect(l.run(t, "logs", "kube-apiserver")).To(ContainSubstring("Serving securely"))
	g.Expect(l.try(t.Context(), "", "logs", "kubelet").stderr).To(ContainSubstring(`no "kubelet" in this lab: there are etcd, kube-apiserver`))
}

func testPause(t *testing.T, l cli) {
	t.Helper()
	g := NewWithT(t)
	answers := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return l.command(ctx, "exec", "tor", "--", "birdc", "show", "status").Run()
	}
	l.run(t, "pause", "tor")
	g.Expect(l.state(t, "tor")).To(Equal("paused"))
	g.Expect(answers()).NotTo(Succeed())
	l.run(t, "resume", "tor")
	l.run(t, "resume", "tor")
	g.Expect(l.state(t, "tor")).To(Equal("running"))
	g.Eventually(answers, "10s", "50ms").Should(Succeed())

	l.run(t, "stop", "tor")
	for _, verb := range []string{"pause", "resume"} {
		g.Expect(l.try(t.Context(), "", verb, "tor").stderr).To(ContainSubstring("tor does not run"), verb)
	}
	l.run(t, "start", "tor")
}
