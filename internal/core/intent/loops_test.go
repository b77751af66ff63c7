package intent_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/loopguard"
)

func TestLoopPreventionIsInheritedAndReplaced(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		base, overlay v1alpha1.LoopPrevention
		want          loopguard.Mode
	}{
		"nobody says anything":         {want: loopguard.Drop},
		"the base alone":               {base: "Reject", want: loopguard.Reject},
		"the overlay replaces it":      {base: "Reject", overlay: "Disabled", want: loopguard.Disabled},
		"the overlay alone":            {overlay: "Reject", want: loopguard.Reject},
		"the overlay says the default": {base: "Disabled", overlay: "Drop", want: loopguard.Drop},
		"what can't be read inherits":  {base: "Reject", overlay: "Blackhole", want: loopguard.Reject},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := intent.For(intent.Input{Node: intent.Node{Name: "node-1"}, Configurations: []v1alpha1.BGPConfiguration{
				{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.BGPConfigurationSpec{ServiceLoopPrevention: row.base}},
				{ObjectMeta: metav1.ObjectMeta{Name: "rack-a"}, Spec: v1alpha1.BGPConfigurationSpec{
					NodeSelector: &metav1.LabelSelector{}, ServiceLoopPrevention: row.overlay,
				}},
			}})
			if got.LoopPrevention != row.want {
				t.Errorf("loop prevention is %s, want %s", got.LoopPrevention, row.want)
			}
		})
	}
}
