package intent

import (
	"cmp"
	"fmt"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// configuration is the BGPConfiguration of one node.
type configuration struct {
	// spec is the base with the overlay laid over it, without what is at fault.
	spec v1alpha1.BGPConfigurationSpec
	// base and overlay are what it was made of; the zero layer where there is none.
	base, overlay layer
}

// layer is one BGPConfiguration whose faults are blanked.
type layer struct {
	object Object
	spec   v1alpha1.BGPConfigurationSpec
}

// configuration finds the base and the overlay for the node, and makes one of the two.
func (r *resolver) configuration(all []v1alpha1.BGPConfiguration) configuration {
	var base *v1alpha1.BGPConfiguration
	var overlays []*v1alpha1.BGPConfiguration
	for _, c := range olderFirst(all, func(c *v1alpha1.BGPConfiguration) *metav1.ObjectMeta { return &c.ObjectMeta }) {
		if c.Name == v1alpha1.DefaultConfigurationName {
			base = c
			continue
		}
		overlays = append(overlays, c)
	}
	var config configuration
	if base != nil {
		config.base = r.layer(base, nil)
	}
	if overlay := r.selectOverlay(overlays); overlay != nil {
		outside := validate.Overlay(overlay, base)
		config.overlay = r.layer(overlay, outside)
		r.refuse(config.overlay.object, v1alpha1.ReasonOutsideBase, outside)
	}
	config.spec = overlaid(config.base.spec, config.overlay.spec)
	r.refuse(config.ownerOfPrefixAdvertisements(), v1alpha1.ReasonInvalid, validate.Resolved(&config.spec))
	return config
}

// selectOverlay returns the overlay that holds on the node: the oldest of those that select it; nil where none does.
func (r *resolver) selectOverlay(olderFirst []*v1alpha1.BGPConfiguration) *v1alpha1.BGPConfiguration {
	var holds *v1alpha1.BGPConfiguration
	for _, overlay := range olderFirst {
		object := objectOf(KindBGPConfiguration, overlay.ObjectMeta)
		switch r.selection(overlay.Spec.NodeSelector) {
		case notSelected:
			continue
		case unreadable:
			r.refuse(object, v1alpha1.ReasonInvalid, validate.Configuration(overlay).Errors)
			continue
		case selected:
		}
		if holds == nil {
			holds = overlay
			continue
		}
		r.report(Problem{
			Object:    object,
			Field:     "spec.nodeSelector",
			Condition: v1alpha1.ConditionAccepted,
			Reason:    v1alpha1.ReasonConflict,
			Message: fmt.Sprintf("overlays %q and %q select the same node, and the older one, %q, holds there: let only one of the two select it",
				holds.Name, overlay.Name, holds.Name),
		})
	}
	return holds
}

// layer reports what is at fault in a BGPConfiguration and blanks it, together with what others found.
func (r *resolver) layer(c *v1alpha1.BGPConfiguration, found field.ErrorList) layer {
	l := layer{object: objectOf(KindBGPConfiguration, c.ObjectMeta), spec: *c.Spec.DeepCopy()}
	errs := validate.Configuration(c).Errors
	r.refuse(l.object, v1alpha1.ReasonInvalid, errs)

	f, at, spec := faults(append(errs, found...)), field.NewPath("spec"), &l.spec
	blank(f, at.Child("asNumber"), &spec.ASNumber)
	blank(f, at.Child("routerID"), &spec.RouterID)
	blank(f, at.Child("podCIDRAdvertisement"), &spec.PodCIDRAdvertisement)
	blank(f, at.Child("gracefulRestart", "mode"), &spec.GracefulRestart.Mode)
	blank(f, at.Child("gracefulRestart", "restartTimeSeconds"), &spec.GracefulRestart.RestartTimeSeconds)
	blankEntries(f, at.Child("serviceClusterIPs"), spec.ServiceClusterIPs)
	blankEntries(f, at.Child("serviceExternalIPs"), spec.ServiceExternalIPs)
	blankEntries(f, at.Child("serviceLoadBalancerIPs"), spec.ServiceLoadBalancerIPs)
	blankEntries(f, at.Child("communities"), spec.Communities)
	blankPrefixAdvertisements(f, spec.PrefixAdvertisements)
	return l
}

func blankEntries[T any](f faults, path *field.Path, entries []T) {
	for i := range entries {
		blank(f, path.Index(i), &entries[i])
	}
}

// blankPrefixAdvertisements blanks field by field, since an entry without its one bad community is closer to what was
// meant than the routes without any of it.
func blankPrefixAdvertisements(f faults, entries []v1alpha1.PrefixAdvertisement) {
	for i := range entries {
		entry, at := &entries[i], field.NewPath("spec", "prefixAdvertisements").Index(i)
		blank(f, at.Child("cidr"), &entry.CIDR)
		blankEntries(f, at.Child("communities"), entry.Communities)
		blank(f, at.Child("localPreference"), &entry.LocalPreference)
		blank(f, at.Child("med"), &entry.MED)
		blank(f, at.Child("asPathPrepend"), &entry.ASPathPrepend)
	}
}

// overlaid returns the base with the overlay's fields in place of its own, each where the overlay has it.
func overlaid(base, overlay v1alpha1.BGPConfigurationSpec) v1alpha1.BGPConfigurationSpec {
	return v1alpha1.BGPConfigurationSpec{
		ASNumber:               cmp.Or(overlay.ASNumber, base.ASNumber),
		ListenPort:             cmp.Or(overlay.ListenPort, base.ListenPort),
		RouterID:               cmp.Or(overlay.RouterID, base.RouterID),
		ServiceClusterIPs:      orList(overlay.ServiceClusterIPs, base.ServiceClusterIPs),
		ServiceExternalIPs:     orList(overlay.ServiceExternalIPs, base.ServiceExternalIPs),
		ServiceLoadBalancerIPs: orList(overlay.ServiceLoadBalancerIPs, base.ServiceLoadBalancerIPs),
		PodCIDRAdvertisement:   cmp.Or(overlay.PodCIDRAdvertisement, base.PodCIDRAdvertisement),
		Communities:            orList(overlay.Communities, base.Communities),
		PrefixAdvertisements:   orList(overlay.PrefixAdvertisements, base.PrefixAdvertisements),
		GracefulRestart:        overlaidRestart(base.GracefulRestart, overlay.GracefulRestart),
		ExternalIPPolicy:       cmp.Or(overlay.ExternalIPPolicy, base.ExternalIPPolicy),
	}
}

// overlaidRestart is overlaid for graceful restart, each of whose fields is inherited alone.
func overlaidRestart(base, overlay v1alpha1.GracefulRestart) v1alpha1.GracefulRestart {
	return v1alpha1.GracefulRestart{
		Mode:               cmp.Or(overlay.Mode, base.Mode),
		RestartTimeSeconds: cmp.Or(overlay.RestartTimeSeconds, base.RestartTimeSeconds),
	}
}

// orList returns the overlay's list where it is set, an empty one included: only an absent list inherits.
func orList[T any](overlay, base []T) []T {
	if overlay != nil {
		return overlay
	}
	return base
}

// ownerOfPrefixAdvertisements returns the object whose prefixAdvertisements hold.
func (c configuration) ownerOfPrefixAdvertisements() Object {
	if c.overlay.spec.PrefixAdvertisements != nil {
		return c.overlay.object
	}
	return c.base.object
}

func (c configuration) asn() bgp.ASN { return cmp.Or(bgp.ASN(c.spec.ASNumber), DefaultASN) }

func (c configuration) routerID(node Node) netip.Addr {
	if id, err := netip.ParseAddr(c.spec.RouterID); err == nil {
		return id
	}
	return node.DefaultRouterID()
}
