package admission_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// present are the objects that all rows find there.
var present = []string{
	configuration("default", `{"serviceClusterIPs": [{"cidr": "10.0.0.0/24"}],
		"serviceExternalIPs": [{"cidr": "192.168.3.0/24"}, {"cidr": "192.168.1.128/25"}, {"cidr": "10.48.9.0/24"}],
		"serviceLoadBalancerIPs": [{"cidr": "192.168.4.0/24"}]}`),
	configuration("rack-a", `{"nodeSelector": {"matchLabels": {"rack": "a"}}, "asNumber": 64600}`),
	peer("tor", `{"peerIP": "192.168.1.1", "asNumber": 64513}`),
	pool("pool", `{"addresses": ["192.168.3.0/25"]}`),
}

// older are Services that were there before there was any configuration, whatever they took. What bank/web has, Herald
// assigned.
var older = []string{
	strings.Replace(service("bank", "web", `["192.168.3.9"]`), `"metadata": {`, `"metadata": {"annotations": {"herald.network/assigned": "192.168.3.9"}, `, 1),
	service("shop", "old", `["8.8.8.8"]`),
}

var newPeer = peer("tor-2", `{"peerIP": "192.168.1.2", "asNumber": 64513}`)

// deprecated is what Kubernetes itself says of externalIPs.
const deprecated = "Warning: spec.externalIPs is deprecated and may no longer be implemented in some clusters\n"

// rows are what a user does, and all that kubectl answers. Nothing of it is stored.
var rows = map[string]struct {
	apply string
	want  string
}{
	"a peer": {
		newPeer,
		`bgppeer.herald.network/tor-2 created (server dry run)`,
	},
	"the address of another peer": {
		peer("tor-2", `{"peerIP": "192.168.1.1", "asNumber": 64513}`),
		`The BGPPeer "tor-2" is invalid: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "tor" and "tor-2" have the same address and port 192.168.1.1:179 on the same node, and the older one, "tor", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`,
	},
	"the address of a node": {
		peer("tor-2", `{"peerIP": "192.168.1.13", "asNumber": 64513}`),
		`The BGPPeer "tor-2" is invalid: spec.peerIP: Invalid value: "192.168.1.13": peerIP must be the address of a router, but it is the InternalIP of the node "node-3"`,
	},
	"a Secret that is not there": {
		peer("tor-2", `{"peerIP": "192.168.1.2", "asNumber": 64513, "password": {"secretKeyRef": {"name": "missing", "key": "password"}}}`),
		`Warning: spec.password.secretKeyRef.name: there is no Secret "missing" in Herald's namespace "herald-system": create it there with the key "password"; until then no session is opened, and one that runs keeps its password
bgppeer.herald.network/tor-2 created (server dry run)`,
	},
	"a Secret without the key": {
		peer("tor-2", `{"peerIP": "192.168.1.2", "asNumber": 64513, "password": {"secretKeyRef": {"name": "tor", "key": "secret"}}}`),
		`Warning: spec.password.secretKeyRef.key: the Secret "tor" in Herald's namespace "herald-system" has no key "secret": add it; until then no session is opened, and one that runs keeps its password
bgppeer.herald.network/tor-2 created (server dry run)`,
	},
	"a selector of no node": {
		peer("tor-2", `{"peerIP": "192.168.1.2", "asNumber": 64513, "nodeSelector": {"matchLabels": {"rack": "c"}}}`),
		`Warning: spec.nodeSelector: it selects no node, so there is no session until one has the labels
bgppeer.herald.network/tor-2 created (server dry run)`,
	},
	"multihop on an iBGP session": {
		peer("tor-2", `{"peerIP": "192.168.1.2", "asNumber": 64600, "ebgpMultihopTTL": 2}`),
		`The BGPPeer "tor-2" is invalid: spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64600, being the nodes' own AS number, makes it one: leave it out, or correct the AS number (on node-1 and node-2)`,
	},
	"several mistakes at once": {
		peer("tor-2", `{"peerIP": "192.168.1.13", "asNumber": 64600, "ebgpMultihopTTL": 2, "nodeSelector": {"matchLabels": {"rack": "a"}}, "password": {"secretKeyRef": {"name": "missing", "key": "password"}}}`),
		`Warning: spec.password.secretKeyRef.name: there is no Secret "missing" in Herald's namespace "herald-system": create it there with the key "password"; until then no session is opened, and one that runs keeps its password
The BGPPeer "tor-2" is invalid: 
* spec.peerIP: Invalid value: "192.168.1.13": peerIP must be the address of a router, but it is the InternalIP of the node "node-3"
* spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64600, being the nodes' own AS number, makes it one: leave it out, or correct the AS number (on node-1 and node-2)`,
	},
	"a second overlay for a node": {
		configuration("zone", `{"nodeSelector": {"matchExpressions": [{"key": "rack", "operator": "Exists"}]}}`),
		`The BGPConfiguration "zone" is invalid: spec.nodeSelector: Invalid value: overlays "rack-a" and "zone" select the same node, and the older one, "rack-a", holds there: let only one of the two select it (on node-1 and node-2)`,
	},
	"a block of another kind": {
		configuration("default", `{"serviceExternalIPs": [{"cidr": "192.168.3.0/24"}], "serviceLoadBalancerIPs": [{"cidr": "192.168.2.0/23"}]}`),
		`The BGPConfiguration "default" is invalid: spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "192.168.2.0/23": a block must not overlap one of another kind, but 192.168.2.0/23 overlaps 192.168.3.0/24 in spec.serviceExternalIPs: let each address be of one kind, and narrow one of the two`,
	},
	"a block of pods": {
		configuration("default", `{"serviceExternalIPs": [{"cidr": "10.48.1.0/24"}]}`),
		`The BGPConfiguration "default" is invalid: spec.serviceExternalIPs[0].cidr: Invalid value: "10.48.1.0/24": a block must not overlap the pod CIDR of a node, but 10.48.1.0/24 overlaps 10.48.1.0/24 of the node "node-1": it would take the cluster's own network away from the router, so name only what Services may have`,
	},
	"a block of nodes and routers": {
		configuration("default", `{"serviceExternalIPs": [{"cidr": "192.168.0.0/16"}]}`),
		`The BGPConfiguration "default" is invalid: 
* spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.0.0/16": a block must not contain the InternalIP of a node, but 192.168.0.0/16 contains 192.168.1.11 of the node "node-1": it would take the cluster's own network away from the router, so name only what Services may have
* spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.0.0/16": a block must not contain the address of a peer, but 192.168.0.0/16 contains 192.168.1.1 of the BGPPeer "tor": it would take the cluster's own network away from the router, so name only what Services may have`,
	},
	"cluster IPs that there are none of": {
		configuration("default", `{"serviceClusterIPs": [{"cidr": "10.49.0.0/16"}]}`),
		`Warning: this change withdraws 10.0.0.0/24 and 4 other prefixes from 3 nodes
Warning: this change withdraws the last routes to addresses of 3 Services: bank/web, default/kubernetes, shop/old
Warning: spec.serviceClusterIPs[0].cidr: 10.49.0.0/16 is outside the cluster's ServiceCIDRs (10.0.0.0/24), which cluster IPs are assigned from: no Service gets an address there
Warning: ExternalIPPool "pool": spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.3.0/25, and what is in no block is never assigned: add a block, or avoid the addresses
bgpconfiguration.herald.network/default configured (server dry run)`,
	},
	"a block with Services removed": {
		configuration("default", `{"serviceClusterIPs": [{"cidr": "10.0.0.0/24"}], "serviceLoadBalancerIPs": [{"cidr": "192.168.4.0/24"}]}`),
		`Warning: this change withdraws 10.48.9.0/24 and 2 other prefixes from 3 nodes
Warning: this change withdraws the last routes to addresses of Service bank/web
Warning: ExternalIPPool "pool": spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.3.0/25, and what is in no block is never assigned: add a block, or avoid the addresses
bgpconfiguration.herald.network/default configured (server dry run)`,
	},
	"another AS for the nodes": {
		configuration("rack-a", `{"nodeSelector": {"matchLabels": {"rack": "a"}}, "asNumber": 64601}`),
		`Warning: this change resets the sessions of 2 nodes with BGPPeer "tor"
bgpconfiguration.herald.network/rack-a configured (server dry run)`,
	},
	"an overlay that widens": {
		configuration("rack-b", `{"nodeSelector": {"matchLabels": {"rack": "b"}}, "serviceExternalIPs": [{"cidr": "192.168.5.0/24"}]}`),
		`The BGPConfiguration "rack-b" is invalid: spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.5.0/24": must lie inside a block of serviceExternalIPs in the BGPConfiguration named default, since an overlay may narrow what is allowed, never widen it`,
	},
	"a pool that overlaps": {
		pool("new", `{"addresses": ["192.168.3.100-192.168.3.200"]}`),
		`The ExternalIPPool "new" is invalid: spec.addresses[0]: Invalid value: "192.168.3.100-192.168.3.200": the ExternalIPPools "new" and "pool" both hold 192.168.3.100-192.168.3.127, and an address must be in one pool only: remove it from one of the two, or let one avoid it`,
	},
	"a pool outside the blocks": {
		pool("new", `{"addresses": ["192.168.5.0/24"]}`),
		`Warning: spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.5.0/24, and what is in no block is never assigned: add a block, or avoid the addresses
externalippool.herald.network/new created (server dry run)`,
	},
	"a pool that takes an address from a Service": {
		pool("pool", `{"addresses": ["192.168.3.64/26"]}`),
		`Warning: this change takes 192.168.3.9 from Service bank/web, which gets another address where a pool has one for it, else none
externalippool.herald.network/pool configured (server dry run)`,
	},
	"a pool that keeps the addresses of Services": {
		pool("pool", `{"addresses": ["192.168.3.0/26"], "assignment": "OnRequest"}`),
		`externalippool.herald.network/pool configured (server dry run)`,
	},
	"an external IP": {
		service("shop", "web", `["192.168.3.180"]`),
		deprecated + `service/web created (server dry run)`,
	},
	"an external IP of another namespace": {
		service("shop", "web", `["192.168.3.180", "192.168.3.9"]`),
		deprecated + `The Service "web" is invalid: spec.externalIPs[1]: Invalid value: "192.168.3.9": 192.168.3.9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address`,
	},
	"an external IP of the API server": {
		service("shop", "web", `["10.0.0.1"]`),
		deprecated + `The Service "web" is invalid: 
* spec.externalIPs[0]: Invalid value: "10.0.0.1": 10.0.0.1 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 192.168.3.0/24, 192.168.1.128/25, 10.48.9.0/24): use an address in one
* spec.externalIPs[0]: Invalid value: "10.0.0.1": 10.0.0.1 is an address of the Service default/kubernetes, which is in another namespace and would lose its traffic: use another address`,
	},
	"an external IP of the own namespace": {
		service("bank", "another", `["192.168.3.9"]`),
		deprecated + `service/another created (server dry run)`,
	},
	"an external IP beside one that was there": {
		service("shop", "old", `["8.8.8.8", "192.168.3.180"]`),
		deprecated + `service/old configured (server dry run)`,
	},
	"an external IP of a node": {
		service("shop", "web", `["192.168.1.12"]`),
		deprecated + `The Service "web" is invalid: 
* spec.externalIPs[0]: Invalid value: "192.168.1.12": 192.168.1.12 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 192.168.3.0/24, 192.168.1.128/25, 10.48.9.0/24): use an address in one
* spec.externalIPs[0]: Invalid value: "192.168.1.12": 192.168.1.12 is the InternalIP of the node "node-2", which would lose its traffic: use another address`,
	},
	"an external IP of a pod": {
		service("shop", "web", `["10.48.2.7"]`),
		deprecated + `The Service "web" is invalid: 
* spec.externalIPs[0]: Invalid value: "10.48.2.7": 10.48.2.7 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 192.168.3.0/24, 192.168.1.128/25, 10.48.9.0/24): use an address in one
* spec.externalIPs[0]: Invalid value: "10.48.2.7": 10.48.2.7 is in the pod CIDR 10.48.2.0/24 of the node "node-2", whose pods would lose their traffic: use another address`,
	},
}

func TestAdmission(t *testing.T) {
	r := newRig(t)
	r.addNodes(t)
	for _, name := range []string{"shop", "bank"} {
		r.MustKubectl(t, "", "create", "namespace", name)
	}
	r.MustKubectl(t, "", "-n", namespace, "create", "secret", "generic", "tor", "--from-literal=password=x")
	stop := r.serve(t, nil)
	for _, manifest := range slices.Concat(older, present) {
		r.apply(t, manifest)
	}
	r.caughtUp(t)
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if got := r.tried(t, row.apply); got != row.want {
				t.Errorf("kubectl prints:\n%s\nwant:\n%s", got, row.want)
			}
		})
	}
	t.Run("deletions", r.deletions)
	t.Run("under the policy Warn", r.warns)
	t.Run("as large as they come", r.large)
	stop()
	t.Run("with a cache that can't be read", r.unread)
	t.Run("without a manager", r.alone)
}

// deletions checks what a user is told who deletes something: nothing is in the way.
func (r *rig) deletions(t *testing.T) {
	for object, want := range map[string]string{
		"bgpconfiguration/default": `Warning: this change withdraws 10.0.0.0/24 and 4 other prefixes from 3 nodes
Warning: this change withdraws the last routes to addresses of 3 Services: bank/web, default/kubernetes, shop/old
Warning: ExternalIPPool "pool": spec.addresses: there is no BGPConfiguration named default, so no address of the pool may be advertised: create it, with blocks for the pool
bgpconfiguration.herald.network "default" deleted (server dry run)`,
		"bgpconfiguration/rack-a": `Warning: this change resets the sessions of 2 nodes with BGPPeer "tor"
bgpconfiguration.herald.network "rack-a" deleted (server dry run)`,
		"bgppeer/tor": `Warning: this change withdraws 10.0.0.0/24 and 4 other prefixes from 3 nodes
Warning: this change withdraws the last routes to addresses of 3 Services: bank/web, default/kubernetes, shop/old
Warning: this change closes the sessions of 3 nodes with BGPPeer "tor"
bgppeer.herald.network "tor" deleted (server dry run)`,
		"externalippool/pool": `Warning: the pool stays, and assigns nothing more, while 1 Service has addresses from it: bank/web
Warning: to move a Service to another pool, annotate it with herald.network/pool: NAME of that pool; the condition Released says who is left
externalippool.herald.network "pool" deleted (server dry run)`,
	} {
		got := strings.TrimSpace(r.MustKubectl(t, "", "delete", "--dry-run=server", object))
		if got != want {
			t.Errorf("kubectl prints:\n%s\nwant:\n%s", got, want)
		}
	}
}

// warns checks that a Service is let in with a warning where the configuration says so, and that addresses outside the
// blocks are left to the ValidatingAdmissionPolicy to warn of.
func (r *rig) warns(t *testing.T) {
	r.MustKubectl(t, "", "patch", "bgpconfiguration", "default", "--type=merge", "-p", `{"spec": {"externalIPPolicy": "Warn"}}`)
	const want = deprecated + `Warning: spec.externalIPs[1]: 192.168.3.9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address
service/web created (server dry run)`
	NewWithT(t).Eventually(func() string { return r.tried(t, service("shop", "web", `["8.8.4.4", "192.168.3.9"]`)) }).
		WithTimeout(patience).Should(Equal(want))
}

// large checks that the conditions on which requests come to the webhooks hold for large objects too: one that can't be told
// would pass a Service by, and refuse a BGPConfiguration whatever is in it.
func (r *rig) large(t *testing.T) {
	var entries, addresses []string
	for i := range 63 {
		var communities string
		for j := range 64 {
			communities += fmt.Sprintf(`"%d:4294967295:4294967295", `, 4294967000+j)
		}
		entries = append(entries, fmt.Sprintf(`{"cidr": "192.168.3.%d/32", "communities": [%s]}`, i, strings.TrimSuffix(communities, ", ")))
	}
	overlay := func(med string) string {
		return configuration("rack-a", `{"nodeSelector": {"matchLabels": {"rack": "a"}}, "asNumber": 64600,
			"prefixAdvertisements": [`+strings.Join(entries, ", ")+`, {"cidr": "192.168.3.255/32", "med": `+med+`}]}`)
	}
	r.MustKubectl(t, overlay("1"), "apply", "--server-side", "--force-conflicts", "-f", "-")
	r.MustKubectl(t, overlay("2"), "apply", "--server-side", "-f", "-")

	for i := range 5000 {
		addresses = append(addresses, fmt.Sprintf(`"11.0.%d.%d"`, i/250, i%250+1))
	}
	many := strings.Join(addresses, ", ")
	r.MustKubectl(t, service("shop", "large", "["+many+"]"), "apply", "--server-side", "-f", "-")
	output := r.MustKubectl(t, service("shop", "large", "["+many+`, "192.168.3.9"]`), "apply", "--server-side", "-f", "-")
	const want = "Warning: spec.externalIPs[5000]: 192.168.3.9 is an address of the Service bank/web"
	if !strings.Contains(output, want) {
		t.Errorf("kubectl prints:\n%s\nwant:\n%s", output, want)
	}
}

// unread checks what goes on while the manager runs and can't read the cluster.
func (r *rig) unread(t *testing.T) {
	g := NewWithT(t)
	stop := r.serve(t, unreadable{})
	defer stop()

	const why = "read *v1.NodeList from the cache: the cache is not started, can not read objects"
	g.Eventually(func() string { return r.tried(t, newPeer) }).WithTimeout(patience).Should(Equal(
		`Error from server (ServiceUnavailable): error when creating "STDIN": admission webhook "bgppeers.herald.network" denied the request: ` +
			`Herald could not check BGPPeer "tor-2": ` + why + `; nothing was changed, try again in a few seconds`))
	g.Expect(r.tried(t, service("shop", "web", `["192.168.3.9"]`))).To(Equal(deprecated +
		`Warning: Herald could not check Service "web": ` + why + "; the request was let through unchecked\n" +
		`service/web created (server dry run)`))
	g.Expect(r.MustKubectl(t, "", "delete", "--dry-run=server", "bgpconfiguration", "default")).To(Equal(
		`Warning: Herald could not check BGPConfiguration "default": ` + why + "; the request was let through unchecked\n" +
			`bgpconfiguration.herald.network "default" deleted (server dry run)` + "\n"))
}

// alone checks what goes on while no manager answers.
func (r *rig) alone(t *testing.T) {
	g := NewWithT(t)
	const why = `Internal error occurred: failed calling webhook "bgppeers.herald.network": failed to call webhook: Post "https://`
	g.Eventually(func() string { return r.tried(t, newPeer) }).WithTimeout(patience).
		Should(HavePrefix(`Error from server (InternalError): error when creating "STDIN": ` + why))
	g.Expect(r.tried(t, peer("tor", `{"peerIP": "192.168.1.1", "asNumber": 64514}`))).To(ContainSubstring(why))

	// What is no business of the webhooks goes on: labels, finalizers, status, deletion, Services.
	r.MustKubectl(t, "", "label", "bgppeer", "tor", "rack=a")
	r.MustKubectl(t, "", "patch", "bgpconfiguration", "rack-a", "--type=merge", "-p", `{"metadata": {"finalizers": ["example.org/wait"]}}`)
	r.MustKubectl(t, "", "patch", "externalippool", "pool", "--type=merge", "-p", `{"metadata": {"finalizers": ["herald.network/assigned-addresses"]}}`)
	r.MustKubectl(t, "", "patch", "bgppeer", "tor", "--subresource=status", "--type=merge", "-p", `{"status": {"observedGeneration": 1}}`)
	r.MustKubectl(t, "", "delete", "--wait=false", "bgppeer/tor", "bgpconfiguration/rack-a", "externalippool/pool")
	for _, held := range []string{"bgpconfiguration/rack-a", "externalippool/pool"} {
		r.MustKubectl(t, "", "patch", held, "--type=merge", "-p", `{"metadata": {"finalizers": null}}`)
	}
	g.Expect(r.MustKubectl(t, "", "get", "bgppeers,externalippools,bgpconfigurations", "-o", "name")).
		To(Equal("bgpconfiguration.herald.network/default\n"))
	r.MustKubectl(t, service("shop", "web", `["192.168.3.180"]`), "apply", "-f", "-")
}

// unreadable is a cache before it has been filled.
type unreadable struct{ client.Reader }

func (unreadable) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return &cache.ErrCacheNotStarted{}
}

// tried returns what kubectl prints when an object is applied, of which nothing is stored.
func (r *rig) tried(t *testing.T, manifest string) string {
	t.Helper()
	output, _ := r.Kubectl(t, manifest, "apply", "--dry-run=server", "-f", "-")
	return strings.TrimSpace(output)
}

// apply applies a manifest once the API server reaches the webhooks.
func (r *rig) apply(t *testing.T, manifest string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		output, err := r.Kubectl(t, manifest, "apply", "-f", "-")
		g.Expect(err).NotTo(HaveOccurred(), output)
	}).WithTimeout(patience).Should(Succeed())
}

// caughtUp waits until the manager has seen the objects that are there: it then refuses what is in the way of each.
func (r *rig) caughtUp(t *testing.T) {
	t.Helper()
	for _, manifest := range []string{
		peer("tor-2", `{"peerIP": "192.168.1.1", "asNumber": 64513}`),
		configuration("zone", `{"nodeSelector": {"matchLabels": {"rack": "a"}}}`),
		pool("new", `{"addresses": ["192.168.3.1"]}`),
		service("shop", "web", `["192.168.3.9"]`),
	} {
		NewWithT(t).Eventually(func() error {
			_, err := r.Kubectl(t, manifest, "apply", "--dry-run=server", "-f", "-")
			return err
		}).WithTimeout(patience).ShouldNot(Succeed())
	}
}
