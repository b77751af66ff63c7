package intent

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// configuration is the BGPConfiguration of the nodes on which one overlay holds, or none.
type configuration struct {
	// spec is the base with the overlay laid over it, without what is at fault.
	spec v1alpha1.BGPConfigurationSpec
	// base and overlay are what it was made of; the zero layer where there is none.
	base, overlay layer
	// blocks and attributes are what spec says of advertisement.
	blocks     []advertise.Block
	attributes []advertise.PrefixAttributes
	// problems of the base and the overlay.
	problems problems
}

// base is the BGPConfiguration named default, for every node the same.
type base struct {
	// object is nil where there is none.
	object   *v1alpha1.BGPConfiguration
	layer    layer
	problems problems
}

func baseOf(object *v1alpha1.BGPConfiguration) base {
	b := base{object: object}
	b.layer = b.problems.layer(object, nil)
	return b
}

// layer is one BGPConfiguration whose faults are blanked.
type layer struct {
	object Object
	spec   v1alpha1.BGPConfigurationSpec
}

// Effective returns the configuration that holds on a node with this base and this overlay, without what is at fault in
// them; either may be nil. Defaults are not filled in.
func Effective(base, overlay *v1alpha1.BGPConfiguration) v1alpha1.BGPConfigurationSpec {
	r := Resolver{configurations: map[*v1alpha1.BGPConfiguration]configuration{}}
	if base != nil {
		r.base = baseOf(base)
	}
	return r.configuration(overlay).spec
}

// configuration makes one of the base and an overlay, which is nil where none holds.
func (r *Resolver) configuration(overlay *v1alpha1.BGPConfiguration) configuration {
	config, known := r.configurations[overlay]
	if known {
		return config
	}
	config.base = r.base.layer
	config.problems = slices.Clone(r.base.problems)
	if overlay != nil {
		outside := validate.Overlay(overlay, r.base.object)
		config.overlay = config.problems.layer(overlay, outside)
		config.problems.refuse(config.overlay.object, v1alpha1.ReasonOutsideBase, outside)
	}
	config.spec = overlaid(config.base.spec, config.overlay.spec)
	config.problems.refuse(config.ownerOfPrefixAdvertisements(), v1alpha1.ReasonInvalid, validate.Resolved(&config.spec))
	config.blocks, config.attributes = blocksOf(config.spec), attributesOf(config.spec)
	r.configurations[overlay] = config
	return config
}

// selectOverlay returns the overlay that holds on the node: the oldest of those that select it; nil where none does.
func (r *Resolver) selectOverlay(node Node, found *problems) *v1alpha1.BGPConfiguration {
	var holds *v1alpha1.BGPConfiguration
	for _, candidate := range r.overlays {
		choice := candidate.selection(node)
		if choice == notSelected {
			continue
		}
		overlay := candidate.object
		object := objectOf(KindBGPConfiguration, overlay.ObjectMeta)
		if choice == unreadable {
			found.refuse(object, v1alpha1.ReasonInvalid, validate.Configuration(overlay).Errors)
			continue
		}
		if holds == nil {
			holds = overlay
			continue
		}
		found.report(Problem{
			Object:    object,
			Field:     "spec.nodeSelector",
			Condition: v1alpha1.ConditionAccepted,
			Reason:    v1alpha1.ReasonConflict,
			Rival:     holds.Name,
			Message: fmt.Sprintf("overlays %q and %q select the same node, and the older one, %q, holds there: let only one of the two select it",
				holds.Name, overlay.Name, holds.Name),
		})
	}
	return holds
}

// layer reports what is at fault in a BGPConfiguration and blanks it, together with what others found.
func (ps *problems) layer(c *v1alpha1.BGPConfiguration, found field.ErrorList) layer {
	l := layer{object: objectOf(KindBGPConfiguration, c.ObjectMeta), spec: *c.Spec.DeepCopy()}
	errs := validate.Configuration(c).Errors
	ps.refuse(l.object, v1alpha1.ReasonInvalid, errs)

	f, at, spec := faults(append(errs, found...)), field.NewPath("spec"), &l.spec
	blank(f, at.Child("asNumber"), &spec.ASNumber)
	blank(f, at.Child("listenPort"), &spec.ListenPort)
	blank(f, at.Child("routerID"), &spec.RouterID)
	blank(f, at.Child("podCIDRAdvertisement"), &spec.PodCIDRAdvertisement)
	blank(f, at.Child("serviceLoopPrevention"), &spec.ServiceLoopPrevention)
	blank(f, at.Child("gracefulRestart", "mode"), &spec.GracefulRestart.Mode)
	blank(f, at.Child("gracefulRestart", "restartTimeSeconds"), &spec.GracefulRestart.RestartTimeSeconds)
	blank(f, at.Child("gracefulShutdown", "timeSeconds"), &spec.GracefulShutdown.TimeSeconds)
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
		GracefulShutdown:       v1alpha1.GracefulShutdown{TimeSeconds: cmp.Or(overlay.GracefulShutdown.TimeSeconds, base.GracefulShutdown.TimeSeconds)},
		ExternalIPPolicy:       cmp.Or(overlay.ExternalIPPolicy, base.ExternalIPPolicy),
		ServiceLoopPrevention:  cmp.Or(overlay.ServiceLoopPrevention, base.ServiceLoopPrevention),
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

// shutdownTime is how long routes are marked before they go.
func (c configuration) shutdownTime() time.Duration {
	if given := c.spec.GracefulShutdown.TimeSeconds; given != nil {
		return time.Duration(*given) * time.Second
	}
	return DefaultShutdownTime
}

func (c configuration) asn() bgp.ASN { return cmp.Or(bgp.ASN(c.spec.ASNumber), DefaultASN) }

func (c configuration) routerID(node Node) netip.Addr {
	if id, err := netip.ParseAddr(c.spec.RouterID); err == nil {
		return id
	}
	return node.DefaultRouterID()
}
