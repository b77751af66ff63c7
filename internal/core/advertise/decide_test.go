package advertise_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// realm names the same things in one family, so that a row holds for both.
type realm struct {
	family bgp.Family
	// address lies in single, narrow and wide, each inside the next; outside lies in none of them.
	address, outside     netip.Addr
	single, narrow, wide netip.Prefix
}

var realms = []realm{
	{
		family:  bgp.IPv4,
		address: netip.MustParseAddr("192.168.3.180"), outside: netip.MustParseAddr("192.168.4.1"),
		single: netip.MustParsePrefix("192.168.3.180/32"), narrow: netip.MustParsePrefix("192.168.3.128/25"), wide: netip.MustParsePrefix("192.168.3.0/24"),
	},
	{
		family:  bgp.IPv6,
		address: netip.MustParseAddr("2001:db8:3::180"), outside: netip.MustParseAddr("2001:db8:4::1"),
		single: netip.MustParsePrefix("2001:db8:3::180/128"), narrow: netip.MustParsePrefix("2001:db8:3::100/120"), wide: netip.MustParsePrefix("2001:db8:3::/64"),
	},
}

func (r realm) otherFamily() bgp.Family {
	if r.family == bgp.IPv4 {
		return bgp.IPv6
	}
	return bgp.IPv4
}

// question is all that a decision depends on.
type question struct {
	realm
	config    advertise.Config
	service   advertise.Service
	endpoints advertise.EndpointsByFamily
}

// newQuestion asks for an external IP with the policy Cluster, in a wide block without an aggregate, of a Service with one
// ready endpoint on another node: Advertised.
func newQuestion(r realm) *question {
	q := &question{realm: r}
	q.service = advertise.Service{Type: advertise.TypeClusterIP}
	q.kindIs(advertise.ExternalIP)
	q.endpointsAre(advertise.Endpoints{Ready: 1})
	return q
}

// kindIs makes the address one of the given kind, and allows it by a wide block without an aggregate.
func (q *question) kindIs(kind advertise.Kind) {
	q.service.Addresses = []advertise.Address{{Addr: q.address, Kind: kind}}
	q.blocksAre(q.block(kind, q.wide))
}
func (q *question) blocksAre(blocks ...advertise.Block)     { q.config.Blocks = blocks }
func (q *question) endpointsAre(e advertise.Endpoints)      { *q.endpoints.Of(q.family) = e }
func (q *question) otherEndpointsAre(e advertise.Endpoints) { *q.endpoints.Of(q.otherFamily()) = e }
func (q *question) external(cidr netip.Prefix) advertise.Block {
	return q.block(advertise.ExternalIP, cidr)
}

func (q *question) block(kind advertise.Kind, cidr netip.Prefix) advertise.Block {
	return advertise.Block{Kind: kind, CIDR: cidr}
}

func aggregated(b advertise.Block) advertise.Block {
	b.Aggregated = true
	return b
}

// decideRows are named by the steps of the rule, in their order: a later step never speaks before an earlier one.
var decideRows = map[string]struct {
	given func(q *question)
	want  advertise.Reason
}{
	"1: a headless Service is not supported": {
		func(q *question) { q.service.Headless = true }, advertise.UnsupportedService,
	},
	"1: a Service that is being deleted is not supported": {
		func(q *question) { q.service.Deleting = true }, advertise.UnsupportedService,
	},
	"1: a Service of type ExternalName is not supported": {
		func(q *question) { q.service.Type = "ExternalName" }, advertise.UnsupportedService,
	},
	"1: an unsupported Service is that first, also with an address in no block": {
		func(q *question) { q.service.Headless = true; q.blocksAre() }, advertise.UnsupportedService,
	},
	"1: a Service of type ClusterIP is supported": {
		func(q *question) { q.service.Type = advertise.TypeClusterIP }, advertise.Advertised,
	},
	"1: a Service of type NodePort is supported": {
		func(q *question) { q.service.Type = advertise.TypeNodePort }, advertise.Advertised,
	},
	"1: a Service of type LoadBalancer is supported": {
		func(q *question) { q.service.Type = advertise.TypeLoadBalancer }, advertise.Advertised,
	},

	"2: without blocks no address is allowed": {
		func(q *question) { q.blocksAre() }, advertise.NotAllowlisted,
	},
	"2: an address outside every block is not allowed": {
		func(q *question) { q.service.Addresses[0].Addr = q.outside }, advertise.NotAllowlisted,
	},
	"2: an IPv4-mapped address is in no block": {
		func(q *question) {
			q.service.Addresses[0].Addr = netip.MustParseAddr("::ffff:192.168.3.180")
			q.blocksAre(q.external(q.wide), q.external(netip.MustParsePrefix("::/0")))
		}, advertise.NotAllowlisted,
	},
	"2: a block of another kind allows nothing": {
		func(q *question) {
			q.blocksAre(q.block(advertise.ClusterIP, q.wide), q.block(advertise.LoadBalancerIP, q.wide))
		}, advertise.NotAllowlisted,
	},
	"2: an address in no block is that first, also on an excluded node": {
		func(q *question) { q.blocksAre(); q.config.Excluded = true }, advertise.NotAllowlisted,
	},
	"2: the longest block decides, and has no aggregate": {
		func(q *question) { q.blocksAre(aggregated(q.external(q.wide)), q.external(q.narrow)) }, advertise.Advertised,
	},
	"2: the longest block decides, and has an aggregate": {
		func(q *question) { q.blocksAre(aggregated(q.external(q.narrow)), q.external(q.wide)) }, advertise.CoveredByAggregate,
	},
	"2: a longer block of another kind does not decide": {
		func(q *question) {
			q.blocksAre(q.external(q.wide), aggregated(q.block(advertise.LoadBalancerIP, q.narrow)))
		}, advertise.Advertised,
	},

	"3: an excluded node advertises nothing with the policy Cluster": {
		func(q *question) { q.config.Excluded = true }, advertise.NodeExcluded,
	},
	"3: an excluded node advertises nothing with the policy Local": {
		func(q *question) {
			q.config.Excluded = true
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Ready: 1, ReadyHere: 1})
		}, advertise.NodeExcluded,
	},
	"3: an excluded node is that first, also for an address that an aggregate covers": {
		func(q *question) { q.config.Excluded = true; q.blocksAre(aggregated(q.external(q.wide))) }, advertise.NodeExcluded,
	},

	"4: externalTrafficPolicy Local holds for an external IP": {
		func(q *question) { q.service.ExternalTrafficPolicy = advertise.Local }, advertise.NoLocalEndpoint,
	},
	"4: externalTrafficPolicy Local holds for a load balancer IP": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.kindIs(advertise.LoadBalancerIP)
		}, advertise.NoLocalEndpoint,
	},
	"4: externalTrafficPolicy Local holds for a cluster IP": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.kindIs(advertise.ClusterIP)
		}, advertise.NoLocalEndpoint,
	},
	"4: internalTrafficPolicy Local holds for a cluster IP": {
		func(q *question) {
			q.service.InternalTrafficPolicy = advertise.Local
			q.kindIs(advertise.ClusterIP)
		}, advertise.NoLocalEndpoint,
	},
	"4: internalTrafficPolicy Local does not hold for an external IP": {
		func(q *question) { q.service.InternalTrafficPolicy = advertise.Local }, advertise.Advertised,
	},
	"4: internalTrafficPolicy Local does not hold for a load balancer IP": {
		func(q *question) {
			q.service.InternalTrafficPolicy = advertise.Local
			q.kindIs(advertise.LoadBalancerIP)
		}, advertise.Advertised,
	},

	"5: Local with a ready endpoint here": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Ready: 2, ReadyHere: 1})
		}, advertise.Advertised,
	},
	"5: Local with a ready endpoint here, beside an aggregate": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.blocksAre(aggregated(q.external(q.wide)))
			q.endpointsAre(advertise.Endpoints{Ready: 1, ReadyHere: 1})
		}, advertise.Advertised,
	},
	"5: Local without an endpoint here, beside an aggregate": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.blocksAre(aggregated(q.external(q.wide)))
		}, advertise.NoLocalEndpoint,
	},
	"5: Local with a draining endpoint here and none ready anywhere": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Draining: 1, DrainingHere: 1})
		}, advertise.Advertised,
	},
	"5: Local with a draining endpoint elsewhere and none ready anywhere": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Draining: 1})
		}, advertise.NoLocalEndpoint,
	},
	"5: Local with a draining endpoint here and a ready one elsewhere": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Ready: 1, Draining: 1, DrainingHere: 1})
		}, advertise.NoLocalEndpoint,
	},
	"5: Local with an endpoint of the other family here": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.otherEndpointsAre(advertise.Endpoints{Ready: 1, ReadyHere: 1})
		}, advertise.NoLocalEndpoint,
	},
	"5: Local falls back to draining endpoints for each family by itself": {
		func(q *question) {
			q.service.ExternalTrafficPolicy = advertise.Local
			q.endpointsAre(advertise.Endpoints{Draining: 1, DrainingHere: 1})
			q.otherEndpointsAre(advertise.Endpoints{Ready: 1})
		}, advertise.Advertised,
	},

	"6: Cluster in an aggregated block": {
		func(q *question) { q.blocksAre(aggregated(q.external(q.wide))) }, advertise.CoveredByAggregate,
	},
	"6: Cluster in an aggregated block, without an endpoint": {
		func(q *question) {
			q.blocksAre(aggregated(q.external(q.wide)))
			q.endpointsAre(advertise.Endpoints{})
		}, advertise.CoveredByAggregate,
	},
	"6: a block of one address is never an aggregate": {
		func(q *question) { q.blocksAre(aggregated(q.external(q.single))) }, advertise.Advertised,
	},

	"7: Cluster with a ready endpoint on another node": {
		func(q *question) { q.endpointsAre(advertise.Endpoints{Ready: 1}) }, advertise.Advertised,
	},
	"7: Cluster with a draining endpoint and none ready": {
		func(q *question) { q.endpointsAre(advertise.Endpoints{Draining: 1}) }, advertise.Advertised,
	},
	"7: Cluster without an endpoint": {
		func(q *question) { q.endpointsAre(advertise.Endpoints{}) }, advertise.NoEndpoint,
	},
	"7: Cluster in a block of one address, without an endpoint": {
		func(q *question) {
			q.blocksAre(aggregated(q.external(q.single)))
			q.endpointsAre(advertise.Endpoints{})
		}, advertise.NoEndpoint,
	},
	"7: Cluster with endpoints of the other family only": {
		func(q *question) {
			q.endpointsAre(advertise.Endpoints{})
			q.otherEndpointsAre(advertise.Endpoints{Ready: 1, ReadyHere: 1, Draining: 1, DrainingHere: 1})
		}, advertise.NoEndpoint,
	},
}

func TestDecide(t *testing.T) {
	for name, row := range decideRows {
		for _, r := range realms {
			t.Run(r.family.String()+"/"+name, func(t *testing.T) {
				q := newQuestion(r)
				row.given(q)
				decisions := advertise.Decide(q.config, q.service, q.endpoints)
				if len(decisions) != 1 || decisions[0].Reason != row.want {
					t.Fatalf("got %+v, want one decision with the reason %s", decisions, row.want)
				}
				prefix, advertised := decisions[0].HostRoute()
				if advertised != (row.want == advertise.Advertised) {
					t.Errorf("HostRoute returned %v, %v with the reason %s", prefix, advertised, row.want)
				}
				if advertised && prefix != r.single {
					t.Errorf("got host route %s, want %s", prefix, r.single)
				}
				if led := decisions[0].HasRoute(); led != (advertised || row.want == advertise.CoveredByAggregate) {
					t.Errorf("HasRoute returned %v with the reason %s", led, row.want)
				}
			})
		}
	}
}

func TestDecideAnswersForEachAddressWithItsBlockAndPolicy(t *testing.T) {
	for _, r := range realms {
		t.Run(r.family.String(), func(t *testing.T) {
			clusterIP := advertise.Address{Addr: r.address, Kind: advertise.ClusterIP}
			allowed := advertise.Address{Addr: r.address, Kind: advertise.ExternalIP}
			refused := advertise.Address{Addr: r.outside, Kind: advertise.ExternalIP}
			narrow := advertise.Block{Kind: advertise.ExternalIP, CIDR: r.narrow}
			wide := advertise.Block{Kind: advertise.ClusterIP, CIDR: r.wide, Aggregated: true}
			var endpoints advertise.EndpointsByFamily
			endpoints.Of(r.family).Ready = 1

			got := advertise.Decide(
				advertise.Config{Blocks: []advertise.Block{{Kind: advertise.ExternalIP, CIDR: r.wide}, narrow, wide}},
				advertise.Service{
					Type: advertise.TypeClusterIP, InternalTrafficPolicy: advertise.Local,
					Addresses: []advertise.Address{clusterIP, allowed, refused},
				}, endpoints)

			want := []advertise.Decision{
				{Address: clusterIP, Policy: advertise.Local, Block: wide, Reason: advertise.NoLocalEndpoint},
				{Address: allowed, Policy: advertise.Cluster, Block: narrow, Reason: advertise.Advertised},
				{Address: refused, Policy: advertise.Cluster, Reason: advertise.NotAllowlisted},
			}
			if diff := cmp.Diff(want, got, netipComparer); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// netipComparer lets go-cmp compare what it can't look into.
var netipComparer = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b bgp.Path) bool { return a == b }),
}

var emptyIsNil = cmpopts.EquateEmpty()
