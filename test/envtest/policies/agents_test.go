// Package policies_test has a real API server enforce the ValidatingAdmissionPolicies, with no manager around: they hold
// while it is away.
package policies_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/config/policies"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

// The namespace of Herald is not the one that the manifests name.
const namespace = "network"

func TestAgentsWriteWhatIsTheirNodes(t *testing.T) {
	server := apiserver.Start(t)
	for _, manifest := range policies.Manifests(namespace) {
		server.MustKubectl(t, manifest, "apply", "-f", "-")
	}
	server.MustKubectl(t, rights, "apply", "-f", "-")
	admin := clientAs(t, server, rest.ImpersonationConfig{})
	awaitAgentsPolicy(t, agentOf(t, server, "node-1"))

	const refused, unclaimed = " may not write ", "the token of this agent does not say which node it is on, so it may not write "
	for name, row := range map[string]struct {
		by     client.Client
		node   string
		denial string
	}{
		"its own":                    {agentOf(t, server, "node-1"), "node-1", ""},
		"another's":                  {agentOf(t, server, "node-1"), "node-2", "the agent of node node-1" + refused + "%s node-2, only the one of its own node"},
		"another's of like name":     {agentOf(t, server, "node-1"), "node-10", "the agent of node node-1" + refused + "%s node-10, only the one of its own node"},
		"without a claim":            {agentOf(t, server), "node-3", unclaimed + "%s node-3: use a token that is bound to an agent's pod (claim " + claim + ")"},
		"with two claims":            {agentOf(t, server, "node-4", "node-5"), "node-4", unclaimed + "%s node-4: use a token that is bound to an agent's pod (claim " + claim + ")"},
		"somebody else":              {clientAs(t, server, serviceAccount(namespace, "other")), "node-7", ""},
		"its like, elsewhere":        {clientAs(t, server, serviceAccount("herald-system", "herald-agent")), "node-8", ""},
		"an administrator of Herald": {admin, "node-9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, object := range []client.Object{
				&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: row.node}},
				&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: row.node, Namespace: namespace}},
			} {
				judged(t, admin, row.by, object, row.denial)
			}
		})
	}
}

// judged does everything that can be done to an object, all of which is denied with the text or none; %s stands for the kind.
func judged(t *testing.T, admin, by client.Client, object client.Object, denial string) {
	t.Helper()
	g := NewWithT(t)
	kind := "Lease"
	if _, is := object.(*v1alpha1.BGPNode); is {
		kind = "BGPNode"
	}
	answers := func(what string, err error) {
		if denial == "" {
			g.Expect(err).NotTo(HaveOccurred(), "%s %s", what, kind)
			return
		}
		g.Expect(err).To(MatchError(apierrors.IsForbidden, "Forbidden"), "%s %s", what, kind)
		g.Expect(err).To(MatchError(HaveSuffix("ValidatingAdmissionPolicy 'herald-agents' with binding 'herald-agents' denied request: "+
			formatted(denial, kind))), what)
	}
	answers("create", by.Create(t.Context(), copyOf(object)))
	if denial != "" {
		g.Expect(admin.Create(t.Context(), copyOf(object))).To(Succeed())
	}
	annotate := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"by":"agent"}}}`))
	answers("patch", by.Patch(t.Context(), copyOf(object), annotate))
	present := copyOf(object)
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), present)).To(Succeed())
	present.SetAnnotations(map[string]string{"updated": "yes"})
	answers("update", by.Update(t.Context(), present))
	if kind == "BGPNode" {
		status := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"agentVersion":"v9"}}`))
		answers("patch the status of", by.Status().Patch(t.Context(), copyOf(object), status))
	}
	answers("delete", by.Delete(t.Context(), copyOf(object)))
}

func TestAgentsDoNotLead(t *testing.T) {
	server := apiserver.Start(t)
	server.MustKubectl(t, policies.Manifests(namespace)[0], "apply", "-f", "-")
	server.MustKubectl(t, rights, "apply", "-f", "-")
	agent := agentOf(t, server, "node-1")
	awaitAgentsPolicy(t, agent)
	lock := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "herald-manager", Namespace: namespace}}
	NewWithT(t).Expect(agent.Create(t.Context(), lock)).To(MatchError(ContainSubstring(
		"the agent of node node-1 may not write Lease herald-manager, only the one of its own node")))
}

// awaitAgentsPolicy returns once the policy is enforced, which takes the API server a moment.
func awaitAgentsPolicy(t *testing.T, agent client.Client) {
	t.Helper()
	probe := func(ctx context.Context) error {
		return agent.Create(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}, client.DryRunAll)
	}
	NewWithT(t).Eventually(probe).WithContext(t.Context()).WithTimeout(30 * time.Second).
		Should(MatchError(ContainSubstring("denied request")))
}
