package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/lab/topology"
)

// dialTimeout is after how long an attempt without an answer is one that failed.
const dialTimeout = 6 * time.Second

// Passwords that must show nowhere.
var passwords = []string{"correct-horse-0", "battery-staple-1", "purple-monkey-2", "dishwasher-3"}

// passwordCases are about TCP MD5 signatures with the last router; the others, where there are any, must not notice.
func passwordCases(r *rack, setPassword func(ctx context.Context, router, password string) error) {
	It("protects a router's sessions by a password from a Secret, and tells it nobody", func(ctx SpecContext) {
		protected := r.routerHosts[len(r.routerHosts)-1]
		others := r.routerHosts[:len(r.routerHosts)-1]
		expectUnharmed := r.watchOthers(ctx, others)
		onRouter := func(password string) {
			GinkgoHelper()
			Expect(setPassword(ctx, protected, password)).To(Succeed())
		}
		DeferCleanup(func(ctx SpecContext) {
			_, _ = r.Kubectl(ctx, "patch", "bgppeer", protected, "--type=merge", "-p", `{"spec": {"password": null}}`)
			Expect(setPassword(ctx, protected, "")).To(Succeed())
			Expect(r.delete(ctx, "-n "+namespace+" secret/"+protected)).To(Succeed())
			r.expectAllUp(ctx, protected, recovery)
		})

		By("the router alone having one")
		onRouter(passwords[1])
		r.expectSilence(ctx, protected)

		By("the peer naming a Secret that is not there")
		_, err := r.Kubectl(ctx, "patch", "bgppeer", protected, "--type=merge", "-p",
			fmt.Sprintf(`{"spec": {"password": {"secretKeyRef": {"name": %q, "key": "password"}}}}`, protected))
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, r.acceptance(ctx, protected), soon, cliInterval).Should(And(
			HavePrefix("False SecretNotFound"), ContainSubstring(protected), ContainSubstring(namespace)))

		By("both having different ones")
		r.setSecret(ctx, protected, passwords[0])
		Eventually(ctx, r.acceptance(ctx, protected), soon, cliInterval).Should(HavePrefix("True Valid"))
		r.expectSilence(ctx, protected)

		By("both having the same")
		r.setSecret(ctx, protected, passwords[1])
		r.expectAllUp(ctx, protected, soon+dialTimeout)

		By("changing it on both sides")
		before := r.flaps(ctx, protected)
		r.setSecret(ctx, protected, passwords[2])
		Consistently(ctx, func() map[string]int32 { return r.flaps(ctx, protected) }, "3s", cliInterval).
			Should(Equal(before), "a session that runs stays, as long as the new one does not come up")
		onRouter(passwords[2])
		r.expectAllUp(ctx, protected, soon+dialTimeout)
		for node, flaps := range r.flaps(ctx, protected) {
			Expect(flaps-before[node]).To(BeNumerically("<=", 1), "resets on %s", node)
		}

		By("deleting the Secret, and making it anew")
		before = r.flaps(ctx, protected)
		Expect(r.delete(ctx, "-n "+namespace+" secret/"+protected)).To(Succeed())
		Eventually(ctx, r.acceptance(ctx, protected), soon, cliInterval).Should(HavePrefix("False SecretNotFound"))
		Consistently(ctx, func() map[string]int32 { return r.flaps(ctx, protected) }, "3s", cliInterval).Should(Equal(before))
		r.expectAllUp(ctx, protected, soon)
		onRouter(passwords[3])
		r.setSecret(ctx, protected, passwords[3])
		r.expectAllUp(ctx, protected, soon+2*dialTimeout)

		r.expectSecret(ctx)
		expectUnharmed()
	})
}

// setSecret makes a Secret hold a password.
func (r *rack) setSecret(ctx context.Context, name, password string) {
	GinkgoHelper()
	Expect(r.Apply(ctx, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s}, data: {password: %s}}",
		name, namespace, base64.StdEncoding.EncodeToString([]byte(password))))).To(Succeed())
}

// watchOthers sends requests through the other routers, if any, and returns what expects that neither those nor their routes
// were touched.
func (r *rack) watchOthers(ctx SpecContext, others []string) (expectUnharmed func()) {
	GinkgoHelper()
	if len(others) == 0 {
		return func() {}
	}
	const address = "192.168.3.31"
	r.createService(ctx, service{name: "elsewhere", local: true, externalIPs: []string{address}})
	r.expectRoute(ctx, host(address), r.nodes()...)
	through, err := r.uplinkOf(ctx, others[0])
	Expect(err).NotTo(HaveOccurred())
	_, err = r.Exec(ctx, topology.External, "ip", "route", "replace", host(address), "via", through)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { _, _ = r.Exec(ctx, topology.External, "ip", "route", "del", host(address)) })
	for range 3 * len(r.nodes()) {
		r.expectAnswer(ctx, url(address))
	}
	before := map[string]map[string]int32{}
	for _, other := range others {
		before[other] = r.flaps(ctx, other)
	}
	marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, url(address))
	return func() {
		GinkgoHelper()
		expectAllAnswered()
		for i, other := range others {
			Expect(r.flaps(ctx, other)).To(Equal(before[other]), "sessions with %s", other)
			Expect(r.routers[i].Since(marks[i])).To(BeEmpty(), "route events of %s", other)
		}
	}
}

// uplinkOf returns the address by which the outside client reaches a router.
func (r *rack) uplinkOf(ctx context.Context, router string) (string, error) {
	routes, err := r.Exec(ctx, topology.External, "ip", "-4", "route", "show", "default")
	if err != nil {
		return "", err
	}
	addresses, err := r.Exec(ctx, router, "ip", "-4", "-o", "address")
	if err != nil {
		return "", err
	}
	words := strings.Fields(routes)
	for i, word := range words {
		if word == "via" && strings.Contains(addresses, " "+words[i+1]+"/") {
			return words[i+1], nil
		}
	}
	return "", fmt.Errorf("%s has none of the next hops of: %s", router, routes)
}

// flaps returns how often each node's session with a peer was lost.
func (r *rack) flaps(ctx context.Context, peer string) map[string]int32 {
	flaps := map[string]int32{}
	for _, node := range r.nodes() {
		if session, err := r.session(ctx, node, peer); err == nil {
			flaps[node] = session.Flaps
		}
	}
	return flaps
}

// acceptance returns the condition Accepted of a peer, in words.
func (r *rack) acceptance(ctx context.Context, peer string) func() (string, error) {
	return r.peerCondition(ctx, peer, v1alpha1.ConditionAccepted)
}

func (r *rack) peerCondition(ctx context.Context, peer string, conditionType v1alpha1.ConditionType) func() (string, error) {
	return func() (string, error) {
		var object v1alpha1.BGPPeer
		err := r.api.Get(ctx, client.ObjectKey{Name: peer}, &object)
		for _, c := range object.Status.Conditions {
			if c.Type == string(conditionType) && c.ObservedGeneration == object.Generation {
				return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message), err
			}
		}
		return "", err
	}
}

// expectAllUp waits until every node's session with a peer is up as the peer is now.
func (r *rack) expectAllUp(ctx context.Context, peer string, patience time.Duration) {
	GinkgoHelper()
	Eventually(ctx, r.peerCondition(ctx, peer, v1alpha1.ConditionEstablished), patience, cliInterval).Should(HavePrefix("True AllEstablished"))
	Eventually(ctx, func() ([]string, error) {
		var states []string
		for _, node := range r.nodes() {
			session, err := r.session(ctx, node, peer)
			if err != nil {
				return nil, err
			}
			states = append(states, string(session.State))
		}
		return states, nil
	}, patience, cliInterval).Should(HaveEach(Equal("Established")), "sessions with %s", peer)
}

// expectSilence waits until the peer says that it does not answer, as kubectl shows it.
func (r *rack) expectSilence(ctx context.Context, peer string) {
	GinkgoHelper()
	Eventually(ctx, r.peerCondition(ctx, peer, v1alpha1.ConditionEstablished), 2*dialTimeout+soon, cliInterval).
		Should(And(HavePrefix("False SessionsDown: 0 of"), ContainSubstring("NoAnswer"), ContainSubstring("password")))
	wide, err := r.Kubectl(ctx, "get", "bgppeer", peer, "-o", "wide")
	Expect(err).NotTo(HaveOccurred())
	Expect(wide).To(And(ContainSubstring("False"), ContainSubstring("SessionsDown")))
}

// expectSecret asserts that no password is told anywhere.
func (r *rack) expectSecret(ctx context.Context) {
	GinkgoHelper()
	told := map[string]string{}
	var err error
	for _, process := range append([]string{"manager"}, prefixed("agent/", r.nodes())...) {
		told["log of "+process], err = r.Run(ctx, "logs", process)
		Expect(err).NotTo(HaveOccurred())
	}
	for _, what := range []string{"bgppeers,bgpnodes,bgpconfigurations,externalippools -o yaml", "events -A -o yaml", "roles -A -o yaml"} {
		told[what], err = r.Kubectl(ctx, append([]string{"get"}, strings.Fields(what)...)...)
		Expect(err).NotTo(HaveOccurred())
	}
	for _, node := range r.nodes() {
		told["metrics of "+node], err = r.agentMetrics(ctx, node)
		Expect(err).NotTo(HaveOccurred())
		Expect(told["metrics of "+node]).To(ContainSubstring("herald_"))
	}
	for where, text := range told {
		for _, password := range passwords {
			Expect(text).NotTo(ContainSubstring(password), where)
			Expect(text).NotTo(ContainSubstring(base64.StdEncoding.EncodeToString([]byte(password))), where)
		}
	}
}

// agentMetrics returns what a node's agent tells of itself to those who may ask.
func (r *rack) agentMetrics(ctx context.Context, node string) (string, error) {
	const reader = "system:serviceaccount:default:default"
	if err := r.Apply(ctx, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: e2e-metrics},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: herald-metrics-reader}, subjects: [{kind: User, name: "`+reader+`"}]}`); err != nil {
		return "", err
	}
	defer func() { _ = r.delete(ctx, "clusterrolebinding/e2e-metrics") }()
	token, err := r.Kubectl(ctx, "create", "token", "default")
	if err != nil {
		return "", err
	}
	return r.Exec(ctx, node, "curl", "-sSk", "-m", "5", "-H", "Authorization: Bearer "+strings.TrimSpace(token), "https://127.0.0.1:17901/metrics")
}

// birdPassword sets the password of all of a BIRD router's sessions, "" for none. BIRD restarts them.
func (r *rack) birdPassword(ctx context.Context, router, password string) error {
	edit := []string{"sed", "-i", "-e", `/^\tpassword /d`}
	if password != "" {
		edit = append(edit, "-e", fmt.Sprintf(`/neighbor range/a \\tpassword "%s";`, password))
	}
	if _, err := r.Exec(ctx, router, append(edit, "/etc/bird/bird.conf")...); err != nil {
		return err
	}
	_, err := r.Exec(ctx, router, "birdc", "configure")
	return err
}

// frrPassword sets the password of all of an FRR router's sessions, "" for none, and starts the router anew: FRR 8.4 never takes
// the key of a range of neighbors from its listening socket again.
func (r *rack) frrPassword(ctx context.Context, router, password string) error {
	edit := []string{"sed", "-i", "-e", "/^ neighbor nodes password /d"}
	if password != "" {
		edit = append(edit, "-e", `/neighbor nodes remote-as/a \ neighbor nodes password `+password)
	}
	if _, err := r.Exec(ctx, router, append(edit, "/etc/frr/bgpd.conf")...); err != nil {
		return err
	}
	for _, verb := range []string{"stop", "start"} {
		if _, err := r.Run(ctx, verb, router); err != nil {
			return err
		}
	}
	return nil
}
