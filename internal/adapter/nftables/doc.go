// Package nftables keeps the rules that end loops: see core/loopguard for why packets loop.
//
//	table inet herald {
//		set uplinks { type ifname; elements = { "eth0" } }
//		set blocks-ipv4 { type ipv4_addr; flags interval; counter; elements = { 192.168.3.0/24 counter packets 0 bytes 0 } }
//		set blocks-ipv6 { type ipv6_addr; flags interval; counter }
//		chain forward {
//			type filter hook forward priority filter + 10; policy accept;
//			iifname != @uplinks accept
//			oifname != @uplinks accept
//			ct status dnat accept
//			ip daddr @blocks-ipv4 drop
//			ip6 daddr @blocks-ipv6 drop
//		}
//	}
//
// The chain comes after kube-proxy's: what that claims has another destination by then, or was rejected. A packet that is
// translated for a Service, or answers one that was, is never touched, whatever addresses pods and clients have. A packet
// that comes from a pod, or goes to one, is none that loops: a loop comes in where routers are and would go out there
// again. There is no blackhole route: it would catch the node's own packets and its pods' too, which may well reach a
// real network inside a wide block.
//
// The package speaks netlink itself (github.com/google/nftables). sigs.k8s.io/knftables, which kube-proxy uses, runs the
// nft program, and Herald's image has none: two static binaries and nothing else.
//
// The whole table is replaced in one transaction when it is not what it should be, whoever changed it; it is never there
// in part. The rules outlive the agent, since routers send to the node for as long as they keep its routes.
package nftables
