package crosscheck

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/validate"
)

func (c *Check) configuration(i int) []Finding {
	configuration := &c.state.Configurations[i]
	isOverlay := configuration.Name != v1alpha1.DefaultConfigurationName
	classes := c.rolled().classes
	var r report
	r.validated(validate.Configuration(configuration))
	if isOverlay {
		classes = c.roll.classesOf(c.roll.byOverlay[i])
		r.invalid(v1alpha1.ReasonOutsideBase, validate.Overlay(configuration, c.base()))
	}
	c.communities(&r, i)
	c.problems(&r, subject{intent.KindBGPConfiguration, configuration.Name, field.OmitValueType{}}, classes)
	c.blocks(&r, &configuration.Spec)
	if isOverlay {
		c.overlay(&r, i)
	}
	return r
}

// overlay checks what only an overlay has: its nodes, and their router ID.
func (c *Check) overlay(r *report, i int) {
	nodes := c.roll.byOverlay[i]
	isReadable := c.state.Configurations[i].Spec.NodeSelector != nil && nodes != nil
	if isReadable && len(nodes) == 0 {
		r.warn(v1alpha1.ReasonNoNodes, c.selectsNone(field.NewPath("spec", "nodeSelector"), "it has no effect"))
	}
	c.routerID(r, i)
}

// communities checks the names of communities in the prefixAdvertisements of a configuration: on its own nodes, or where
// it is the base, also on those whose overlay gives the names other values.
func (c *Check) communities(r *report, i int) {
	configuration := &c.state.Configurations[i]
	if configuration.Name != v1alpha1.DefaultConfigurationName {
		if configuration.Spec.PrefixAdvertisements != nil {
			r.invalid(v1alpha1.ReasonInvalid, validate.Resolved(c.effectiveWith(i)))
		}
		return
	}
	r.invalid(v1alpha1.ReasonInvalid, validate.Resolved(c.effectiveWith(noOverlay)))
	for j := range c.state.Configurations {
		overlay := &c.state.Configurations[j]
		if overlay.Spec.Communities == nil || overlay.Spec.PrefixAdvertisements != nil {
			continue
		}
		nodes := c.where(c.roll.classesOf(c.roll.byOverlay[j]), func(of *class) bool { return of.overlay == j })
		if len(nodes) == 0 {
			continue
		}
		for _, err := range validate.Resolved(c.effectiveWith(j)) {
			if !r.has(err) {
				r.add(Finding{Error: err, Reason: v1alpha1.ReasonInvalid, Nodes: nodes})
			}
		}
	}
}
