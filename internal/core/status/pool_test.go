package status_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/status"
)

func TestPool(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		findings              []crosscheck.Finding
		accepted, allowlisted string
	}{
		"inside": {
			accepted:    "True Valid: the spec is sound",
			allowlisted: "True InsideBlocks: every address is inside a block of the BGPConfiguration named default",
		},
		"outside, in part": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonOutsideBlocks, "spec.addresses[1]", "add a block"),
				warning(v1alpha1.ReasonInvalid, "spec.avoid", "it has no effect"),
				warning(v1alpha1.ReasonOutsideBlocks, "spec.addresses[2]", "add another"),
			},
			accepted:    "True Valid: accepted, but spec.avoid: it has no effect",
			allowlisted: "False OutsideBlocks: spec.addresses[1]: add a block; spec.addresses[2]: add another",
		},
		"no configuration": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonOutsideBlocks, "spec.addresses[0]", "add a block"),
				warning(v1alpha1.ReasonNoConfiguration, "spec.addresses", "create it"),
			},
			accepted:    "True Valid: the spec is sound",
			allowlisted: "False NoConfiguration: spec.addresses: create it",
		},
		"overlap": {
			findings:    []crosscheck.Finding{finding(v1alpha1.ReasonConflict, "spec.addresses[0]", "another pool has it")},
			accepted:    "False Conflict: spec.addresses[0]: Forbidden: another pool has it",
			allowlisted: "True InsideBlocks: every address is inside a block of the BGPConfiguration named default",
		},
		"unreadable": {
			findings:    []crosscheck.Finding{finding(v1alpha1.ReasonInvalid, "spec.addresses[0]", "no address")},
			accepted:    "False Invalid: spec.addresses[0]: Forbidden: no address",
			allowlisted: "Unknown NotAccepted: some of the pool's addresses can't be read, as the condition Accepted says",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := &v1alpha1.ExternalIPPool{
				ObjectMeta: metav1.ObjectMeta{Name: "pool", Generation: 2},
				Spec:       v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.3.0/24", "192.168.4.1", "192.168.5.1"}},
				Status: v1alpha1.ExternalIPPoolStatus{
					IPv4:    v1alpha1.AddressCounts{Total: "258", Assigned: "3", Available: "255"},
					Summary: v1alpha1.PoolSummary{Addresses: "stale", Assigned: "3", Available: "255"},
				},
			}
			got := status.Pool(pool, row.findings, nil, noon)
			g := NewWithT(t)
			g.Expect(say(got.Conditions, v1alpha1.ConditionAccepted)).To(Equal(row.accepted))
			g.Expect(say(got.Conditions, v1alpha1.ConditionAllowlisted)).To(Equal(row.allowlisted))
			g.Expect(say(got.Conditions, v1alpha1.ConditionReleased)).To(Equal("none"), "nobody deletes it")
			g.Expect(got.ObservedGeneration).To(Equal(int64(2)))
			g.Expect(got.IPv4).To(Equal(pool.Status.IPv4), "counts stay where the usage is not known")
			g.Expect(got.Summary).To(Equal(v1alpha1.PoolSummary{Addresses: "192.168.3.0/24 +2", Assigned: "3", Available: "255"}))

			pool.Spec.Addresses = pool.Spec.Addresses[:1]
			g.Expect(status.Pool(pool, nil, nil, noon).Summary.Addresses).To(Equal("192.168.3.0/24"))
		})
	}
}
