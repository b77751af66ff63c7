package manager_test

import (
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/envtest/apiserver"
)

// what is something that an identity may do or not.
type what = authorizationv1.ResourceAttributes

func in(namespace string, w what) what { w.Namespace = namespace; return w }

func named(name string, w what) what { w.Name = name; return w }

func sub(resource string, w what) what { w.Subresource = resource; return w }

func to(verb, group, resource string) what { return what{Verb: verb, Group: group, Resource: resource} }

func TestRights(t *testing.T) {
	server := newCluster(t)
	const (
		herald, apps, admission, rbac = "herald.network", "apps", "admissionregistration.k8s.io", "rbac.authorization.k8s.io"
		coordination, own             = "coordination.k8s.io", "herald-system"
	)
	for name, row := range map[string]struct {
		what           what
		agent, manager bool
	}{
		"Herald's own kinds":            {to("list", herald, "bgppeers"), true, true},
		"pools":                         {to("watch", herald, "externalippools"), false, true},
		"all BGPNodes":                  {to("list", herald, "bgpnodes"), false, true},
		"a BGPNode":                     {to("get", herald, "bgpnodes"), true, true},
		"make a BGPNode":                {to("create", herald, "bgpnodes"), true, false},
		"report in a BGPNode":           {sub("status", to("patch", herald, "bgpnodes")), true, false},
		"replace a BGPNode's status":    {sub("status", to("update", herald, "bgpnodes")), false, false},
		"change a BGPNode":              {to("update", herald, "bgpnodes"), false, false},
		"delete a BGPNode":              {to("delete", herald, "bgpnodes"), false, false},
		"hold back a pool":              {to("patch", herald, "externalippools"), false, true},
		"replace a pool":                {to("update", herald, "externalippools"), false, false},
		"delete a pool":                 {to("delete", herald, "externalippools"), false, false},
		"change a configuration":        {to("patch", herald, "bgpconfigurations"), false, false},
		"change a peer":                 {to("patch", herald, "bgppeers"), false, false},
		"report on a peer":              {sub("status", to("patch", herald, "bgppeers")), false, true},
		"report on a configuration":     {sub("status", to("patch", herald, "bgpconfigurations")), false, true},
		"report on a pool":              {sub("status", to("patch", herald, "externalippools")), false, true},
		"Services":                      {to("watch", "", "services"), true, true},
		"give a Service an external IP": {in("default", to("patch", "", "services")), false, true},
		"give a Service an address":     {in("default", sub("status", to("patch", "", "services"))), false, true},
		"replace a Service":             {in("default", to("update", "", "services")), false, false},
		"replace a Service's status":    {in("default", sub("status", to("update", "", "services"))), false, false},
		"make a Service":                {in("default", to("create", "", "services")), false, false},
		"delete a Service":              {in("default", to("delete", "", "services")), false, false},
		"namespaces":                    {to("watch", "", "namespaces"), false, true},
		"label a namespace":             {to("patch", "", "namespaces"), false, false},
		"endpoints":                     {to("list", "discovery.k8s.io", "endpointslices"), true, true},
		"nodes":                         {to("list", "", "nodes"), true, true},
		"change a node":                 {to("patch", "", "nodes"), false, false},
		"ranges of cluster IPs":         {to("list", "networking.k8s.io", "servicecidrs"), false, true},
		"pods":                          {in(own, to("list", "", "pods")), false, false},
		"events in default":             {in("default", to("create", "", "events")), true, true},
		"events elsewhere":              {in("shop", to("create", "", "events")), false, true},
		"repeat an event":               {in("shop", to("patch", "events.k8s.io", "events")), false, true},
		"read events":                   {in("default", to("list", "", "events")), false, false},
		"Herald's Secrets":              {in(own, to("list", "", "secrets")), false, true},
		"a Secret of Herald's":          {in(own, named("tor", to("get", "", "secrets"))), false, true},
		"the webhook's key":             {in(own, named("herald-webhook-server", to("get", "", "secrets"))), false, true},
		"replace the webhook's key":     {in(own, named("herald-webhook-server", to("update", "", "secrets"))), false, true},
		"change another Secret":         {in(own, named("tor", to("update", "", "secrets"))), false, false},
		"delete a Secret":               {in(own, named("herald-webhook-server", to("delete", "", "secrets"))), false, false},
		"Secrets elsewhere":             {in("default", to("get", "", "secrets")), false, false},
		"Secrets everywhere":            {to("list", "", "secrets"), false, false},
		"signs of life":                 {in(own, to("watch", coordination, "leases")), false, true},
		"give a sign of life":           {in(own, named("node-1", to("patch", coordination, "leases"))), true, false},
		"take the lead":                 {in(own, named("herald-manager", to("update", coordination, "leases"))), false, true},
		"a kubelet's sign of life":      {in("kube-node-lease", to("patch", coordination, "leases")), false, false},
		"the agents' DaemonSet":         {in(own, named("herald-agent", to("get", apps, "daemonsets"))), true, true},
		"run agents":                    {in(own, named("herald-agent", to("patch", apps, "daemonsets"))), false, true},
		"run something else":            {in(own, named("other", to("create", apps, "daemonsets"))), false, false},
		"change the manager":            {in(own, named("herald-manager", to("patch", apps, "deployments"))), false, false},
		"the webhooks":                  {named("herald-admission", to("watch", admission, "validatingwebhookconfigurations")), false, true},
		"trust in the webhooks":         {named("herald-admission", to("patch", admission, "validatingwebhookconfigurations")), false, true},
		"trust in others' webhooks":     {named("other", to("update", admission, "validatingwebhookconfigurations")), false, false},
		"make webhooks":                 {named("herald-admission", to("create", admission, "validatingwebhookconfigurations")), false, false},
		"Herald's policies":             {named("herald-agents", to("patch", admission, "validatingadmissionpolicies")), false, true},
		"bind Herald's policies":        {named("herald-external-ips-deny", to("create", admission, "validatingadmissionpolicybindings")), false, true},
		"others' policies":              {named("other", to("patch", admission, "validatingadmissionpolicies")), false, false},
		"the Role for passwords":        {in(own, named("herald-agent-secrets", to("patch", rbac, "roles"))), false, true},
		"bind the Role for passwords":   {in(own, named("herald-agent-secrets", to("create", rbac, "rolebindings"))), false, true},
		"give any right":                {in(own, named("herald-agent-secrets", to("escalate", rbac, "roles"))), false, false},
		"bind any right":                {in(own, named("herald-manager", to("bind", rbac, "roles"))), false, false},
		"its own rights":                {in(own, named("herald-manager", to("patch", rbac, "roles"))), false, false},
		"its own rights in the cluster": {named("herald-manager", to("patch", rbac, "clusterroles")), false, false},
		"whose a token is":              {to("create", "authentication.k8s.io", "tokenreviews"), true, true},
		"what somebody may do":          {to("create", "authorization.k8s.io", "subjectaccessreviews"), true, true},
		"a token of the other's":        {in(own, sub("token", to("create", "", "serviceaccounts"))), false, false},
		"be somebody else":              {to("impersonate", "", "users"), false, false},
		"a command in a manager":        {in(own, sub("exec", to("create", "", "pods"))), false, false},
		"a pod":                         {in(own, to("create", "", "pods")), false, false},
		"anything":                      {to("*", "*", "*"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(may(t, server, "herald-agent", row.what)).To(Equal(row.agent), "an agent")
			g.Expect(may(t, server, "herald-manager", row.what)).To(Equal(row.manager), "the manager")
		})
	}
}

// may asks the API server whether a ServiceAccount of Herald's may do something.
func may(t *testing.T, server *apiserver.Server, account string, w what) bool {
	t.Helper()
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(authorizationv1.AddToScheme(scheme)).To(Succeed())
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:herald-system:" + account,
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:herald-system", "system:authenticated"},
		ResourceAttributes: &w,
	}}
	g.Expect(c.Create(t.Context(), review)).To(Succeed())
	return review.Status.Allowed
}

// What the manager gives agents is no more than it has, which the API server sees to.
func TestTheManagerCannotGiveAgentsMore(t *testing.T) {
	server := newCluster(t)
	output, err := server.Kubectl(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: herald-agent-secrets, namespace: herald-system}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, delete]}]
`, "apply", "--server-side", "-f", "-", "--as=system:serviceaccount:herald-system:herald-manager")
	g := NewWithT(t)
	g.Expect(err).To(HaveOccurred())
	g.Expect(output).To(ContainSubstring("attempting to grant RBAC permissions not currently held"))
}

// The manager's pods are within the strictest of Kubernetes' Pod Security Standards.
func TestTheManagerIsConfined(t *testing.T) {
	server := newCluster(t)
	server.MustKubectl(t, "", "label", "namespace", "herald-system", "--overwrite", "pod-security.kubernetes.io/warn=restricted")
	server.MustKubectl(t, "", "-n", "herald-system", "delete", "deployment", "herald-manager")
	output := server.MustKubectl(t, "", "create", "-f", server.Root+"/config/manager/deployment.yaml")
	NewWithT(t).Expect(output).To(Equal("deployment.apps/herald-manager created\n"), "without a warning")
}
