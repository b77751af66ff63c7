package validate

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// defaultHoldTimeSeconds is what a keepalive time is held against where the peer names no hold time.
const defaultHoldTimeSeconds = 90

// Peer checks a BGPPeer by itself.
func Peer(peer *v1alpha1.BGPPeer) Findings {
	var f Findings
	spec, at := &peer.Spec, field.NewPath("spec")
	f.selector(at.Child("nodeSelector"), spec.NodeSelector)
	f.peerAddress(at, spec)
	f.asNumber(at.Child("asNumber"), spec.ASNumber, "the peer's own AS number")
	if spec.LocalASNumber != 0 {
		f.asNumber(at.Child("localASNumber"), spec.LocalASNumber, "the AS number that the peer expects of the nodes")
	}
	oneOf(&f, at.Child("sourceAddress"), spec.SourceAddress, v1alpha1.SourceNodeIP, v1alpha1.SourceAny)
	oneOf(&f, at.Child("connectionMode"), spec.ConnectionMode, v1alpha1.ConnectionActive, v1alpha1.ConnectionPassive)
	f.password(at.Child("password", "secretKeyRef"), spec.Password)
	f.passive(at, spec)
	f.timers(at, spec)
	f.hops(at, spec)
	optional(&f, at.Child("peerPort"), spec.PeerPort, 1, 65535)
	optional(&f, at.Child("maxReceivedPrefixes"), spec.MaxReceivedPrefixes, 1, 10_000_000)
	for i, family := range spec.AddressFamilies {
		oneOf(&f, at.Child("addressFamilies").Index(i), family, v1alpha1.IPv4, v1alpha1.IPv6)
	}
	f.gracefulRestart(at.Child("gracefulRestart"), spec.GracefulRestart)
	f.bfd(at.Child("bfd"), spec)
	f.export(at.Child("export"), spec)
	return f.inOrder()
}

func (f *Findings) peerAddress(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	address, err := ParseAddress(spec.PeerIP)
	switch {
	case err != nil:
		f.fail(at.Child("peerIP"), spec.PeerIP,
			"peerIP must be an IPv4 or IPv6 address without a zone, such as 192.168.1.1 or 2001:db8::1")
		return
	case address.IsUnspecified() || address.IsMulticast():
		f.fail(at.Child("peerIP"), spec.PeerIP, "peerIP must be the address of one host: unicast, and neither 0.0.0.0 nor ::")
	}
	linkLocal := netip.MustParsePrefix("fe80::/10").Contains(address)
	switch {
	case linkLocal && spec.Interface == "":
		f.require(at.Child("interface"),
			"interface is required with a link-local peerIP (fe80::/10): name the node's interface that leads to it")
	case !linkLocal && spec.Interface != "":
		f.forbid(at.Child("interface"),
			"interface must be set only with a link-local peerIP (fe80::/10): any other address is reached through the routing table")
	}
	if linkLocal && spec.Password != nil {
		f.forbid(at.Child("password"), "password must not be set with a link-local peerIP (fe80::/10): a signature is tied to an address, "+
			"and a link-local one is another host on each link; use a global address of the peer, or ttlSecurityHops in place of the password")
	}
	if spec.Interface != "" && !isInterfaceName(spec.Interface) {
		f.fail(at.Child("interface"), spec.Interface, "interface must be the name of a network interface, such as eth0: "+
			"1 to 15 characters without '/', ':', '%' or white space")
	}
}

// isInterfaceName reports whether Linux would take the name for an interface.
func isInterfaceName(name string) bool {
	return len(name) <= 15 && name != "." && name != ".." && !strings.ContainsAny(name, "/:% \t\n\v\f\r")
}

func (f *Findings) password(at *field.Path, password *v1alpha1.Password) {
	if password == nil {
		return
	}
	ref := password.SecretKeyRef
	if len(validation.IsDNS1123Subdomain(ref.Name)) > 0 {
		f.fail(at.Child("name"), ref.Name, "name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as tor")
	}
	if len(validation.IsConfigMapKey(ref.Key)) > 0 {
		f.fail(at.Child("key"), ref.Key, "key must be a key of a Secret: letters, digits, '-', '_' and '.', such as password")
	}
}

// passive warns of what only means something where the node dials.
func (f *Findings) passive(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	if spec.ConnectionMode != v1alpha1.ConnectionPassive {
		return
	}
	for name, value := range map[string]int32{"peerPort": spec.PeerPort, "connectRetryTimeSeconds": spec.ConnectRetryTimeSeconds} {
		if value != 0 {
			f.warn(at.Child(name), "it has no effect with connectionMode Passive, where the peer dials: leave it out")
		}
	}
	slices.Sort(f.Warnings)
}

func (f *Findings) timers(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	optional(f, at.Child("holdTimeSeconds"), spec.HoldTimeSeconds, 3, 65535)
	optional(f, at.Child("connectRetryTimeSeconds"), spec.ConnectRetryTimeSeconds, 1, 65535)
	optional(f, at.Child("keepaliveTimeSeconds"), spec.KeepaliveTimeSeconds, 1, math.MaxInt32)
	holdTime := spec.HoldTimeSeconds
	if holdTime == 0 {
		holdTime = defaultHoldTimeSeconds
	}
	if spec.KeepaliveTimeSeconds >= holdTime {
		f.fail(at.Child("keepaliveTimeSeconds"), spec.KeepaliveTimeSeconds, fmt.Sprintf(
			"keepaliveTimeSeconds must be below holdTimeSeconds, which defaults to %d: a third of it is usual", defaultHoldTimeSeconds))
	}
}

func (f *Findings) hops(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	optional(f, at.Child("ebgpMultihopTTL"), spec.EBGPMultihopTTL, 1, 255)
	optional(f, at.Child("ttlSecurityHops"), spec.TTLSecurityHops, 1, 254)
	if spec.TTLSecurityHops != 0 && spec.EBGPMultihopTTL != 0 {
		f.forbid(at.Child("ttlSecurityHops"), "ttlSecurityHops and ebgpMultihopTTL exclude each other: "+
			"with TTL security the TTL sent is always 255, so keep only ttlSecurityHops")
	}
}

func (f *Findings) gracefulRestart(at *field.Path, restart v1alpha1.GracefulRestart) {
	oneOf(f, at.Child("mode"), restart.Mode, v1alpha1.Enabled, v1alpha1.Disabled)
	optional(f, at.Child("restartTimeSeconds"), restart.RestartTimeSeconds, 1, 4095)
}
