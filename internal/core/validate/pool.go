package validate

import (
	"slices"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Pool checks an ExternalIPPool by itself.
func Pool(pool *v1alpha1.ExternalIPPool) Findings {
	var f Findings
	spec, at := &pool.Spec, field.NewPath("spec")
	addresses := f.ranges(at.Child("addresses"), spec.Addresses)
	avoid := f.ranges(at.Child("avoid"), spec.Avoid)
	f.overlaps(at.Child("addresses"), addresses)
	f.useless(at.Child("avoid"), avoid, addresses)
	oneOf(&f, at.Child("assignment"), spec.Assignment, v1alpha1.AssignAutomatic, v1alpha1.AssignOnRequest)
	f.selector(at.Child("namespaceSelector"), spec.NamespaceSelector)
	f.selector(at.Child("serviceSelector"), spec.ServiceSelector)
	within(&f, at.Child("priority"), spec.Priority, -1000000, 1000000)
	return f.inOrder()
}

// indexedRange is a range with its place in the list that it was read from.
type indexedRange struct {
	netipx.IPRange
	index int
}

// ranges reads a list of ranges; those that are malformed are errors, and left out of the result.
func (f *Findings) ranges(at *field.Path, texts []v1alpha1.AddressRange) []indexedRange {
	var ranges []indexedRange
	for i, text := range texts {
		addresses, err := ParseRange(string(text))
		if err != nil {
			f.fail(at.Index(i), string(text), err.Error())
			continue
		}
		ranges = append(ranges, indexedRange{addresses, i})
	}
	return ranges
}

// overlaps warns of ranges that share addresses, each once.
func (f *Findings) overlaps(at *field.Path, ranges []indexedRange) {
	for i, later := range ranges {
		for _, earlier := range ranges[:i] {
			if later.Overlaps(earlier.IPRange) {
				f.warn(at.Index(later.index), "shares addresses with %s, which count once", at.Index(earlier.index))
			}
		}
	}
}

// useless warns of addresses to avoid that the pool doesn't hold.
func (f *Findings) useless(at *field.Path, avoid, addresses []indexedRange) {
	for _, avoided := range avoid {
		inPool := slices.ContainsFunc(addresses, func(r indexedRange) bool { return r.Overlaps(avoided.IPRange) })
		if !inPool {
			f.warn(at.Index(avoided.index), "holds no address of the pool, so it has no effect")
		}
	}
}
