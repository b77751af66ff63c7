package validate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Configuration checks a BGPConfiguration by itself. What depends on others is left to Overlay and Resolved.
func Configuration(configuration *v1alpha1.BGPConfiguration) Findings {
	var f Findings
	spec, at := &configuration.Spec, field.NewPath("spec")
	f.role(at, configuration)
	f.selector(at.Child("nodeSelector"), spec.NodeSelector)
	if spec.ASNumber != 0 {
		f.asNumber(at.Child("asNumber"), spec.ASNumber, "the node's own AS number")
	}
	optional(&f, at.Child("listenPort"), spec.ListenPort, 1, 65535)
	f.routerID(at.Child("routerID"), spec.RouterID)
	for _, list := range blockLists(spec) {
		f.blocks(list)
	}
	oneOf(&f, at.Child("podCIDRAdvertisement"), spec.PodCIDRAdvertisement, v1alpha1.Enabled, v1alpha1.Disabled)
	f.communities(at.Child("communities"), spec.Communities)
	for i := range spec.PrefixAdvertisements {
		f.prefixAdvertisement(at.Child("prefixAdvertisements").Index(i), &spec.PrefixAdvertisements[i])
	}
	f.gracefulRestart(at.Child("gracefulRestart"), spec.GracefulRestart)
	if time := spec.GracefulShutdown.TimeSeconds; time != nil {
		within(&f, at.Child("gracefulShutdown", "timeSeconds"), *time, 0, 60)
	}
	oneOf(&f, at.Child("externalIPPolicy"), spec.ExternalIPPolicy,
		v1alpha1.ExternalIPEnforce, v1alpha1.ExternalIPWarn, v1alpha1.ExternalIPIgnore)
	oneOf(&f, at.Child("serviceLoopPrevention"), spec.ServiceLoopPrevention,
		v1alpha1.LoopPreventionDrop, v1alpha1.LoopPreventionReject, v1alpha1.LoopPreventionDisabled)
	return f.inOrder()
}

// Overlay checks that an overlay's blocks lie inside the base's of the same kind: an overlay may narrow what is allowed,
// never widen it. The base is nil where there is no BGPConfiguration named default.
func Overlay(overlay, base *v1alpha1.BGPConfiguration) field.ErrorList {
	var allowed v1alpha1.BGPConfigurationSpec
	if base != nil {
		allowed = base.Spec
	}
	var f Findings
	outer := blockLists(&allowed)
	for i, inner := range blockLists(&overlay.Spec) {
		for _, network := range inner.networks() {
			if !outer[i].contains(network.cidr) {
				f.fail(inner.path.Index(network.index).Child("cidr"), network.cidr.String(), "must lie inside a block of "+lastName(inner.path)+
					" in the BGPConfiguration named default, since an overlay may narrow what is allowed, never widen it")
			}
		}
	}
	return f.inOrder().Errors
}

// Resolved checks a node's configuration once the base and its overlay are one: that every community that is carried is
// a value or has a name that is given one.
func Resolved(spec *v1alpha1.BGPConfigurationSpec) field.ErrorList {
	known := make(map[string]bool, len(spec.Communities))
	for _, community := range spec.Communities {
		known[community.Name] = true
	}
	names := "none"
	if len(known) > 0 {
		names = strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	}
	var f Findings
	at := field.NewPath("spec", "prefixAdvertisements")
	for i, entry := range spec.PrefixAdvertisements {
		for j, ref := range entry.Communities {
			if isCommunityName(string(ref)) && !known[string(ref)] {
				f.fail(at.Index(i).Child("communities").Index(j), string(ref),
					"must be a name from spec.communities (known: "+names+"), or a value aa:nn or aa:nn:mm")
			}
		}
	}
	return f.Errors
}

// role checks what only an overlay may say, and what it must.
func (f *Findings) role(at *field.Path, configuration *v1alpha1.BGPConfiguration) {
	spec := &configuration.Spec
	if configuration.Name != v1alpha1.DefaultConfigurationName {
		if spec.NodeSelector == nil {
			f.require(at.Child("nodeSelector"), "nodeSelector is required in an overlay, which every BGPConfiguration is "+
				"but the one named default: select the nodes that it is for")
		}
		return
	}
	if spec.NodeSelector != nil {
		f.forbid(at.Child("nodeSelector"), "nodeSelector must not be set in the BGPConfiguration named default, "+
			"which is the base for every node: use an overlay with another name")
	}
	if spec.RouterID != "" {
		f.forbid(at.Child("routerID"), "routerID must not be set in the BGPConfiguration named default, "+
			"since each node needs its own: use an overlay for that node")
	}
}

func (f *Findings) routerID(at *field.Path, text string) {
	if text == "" {
		return
	}
	if id, err := ParseAddress(text); err != nil || !id.Is4() || id.IsUnspecified() {
		f.fail(at, text, "routerID must be written as an IPv4 address other than 0.0.0.0, such as 10.0.0.1")
	}
}

func (f *Findings) communities(at *field.Path, communities []v1alpha1.Community) {
	for i, community := range communities {
		if !isCommunityName(community.Name) {
			f.fail(at.Index(i).Child("name"), community.Name,
				"name must begin with a letter and hold only letters, digits, '-', '_' and '.', such as blackhole-me")
		}
		if _, err := bgp.ParseCommunity(community.Value); err != nil {
			f.fail(at.Index(i).Child("value"), community.Value, "value must be a standard community aa:nn (each 0 to 65535) "+
				"or a large community aa:nn:mm (each 0 to 4294967295), such as 64512:666")
		}
	}
}

func (f *Findings) prefixAdvertisement(at *field.Path, entry *v1alpha1.PrefixAdvertisement) {
	if _, err := ParseCIDR(string(entry.CIDR)); err != nil {
		f.fail(at.Child("cidr"), string(entry.CIDR), err.Error())
	}
	f.communityRefs(at.Child("communities"), entry.Communities)
	f.attributes(at, entry.LocalPreference, entry.MED, entry.ASPathPrepend)
}

// isCommunityName reports whether the text can name a community: it begins with a letter, so no value can.
func isCommunityName(text string) bool {
	for i, c := range []byte(text) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789_.-", rune(c))) {
			return false
		}
	}
	return text != "" && len(text) <= 63
}
