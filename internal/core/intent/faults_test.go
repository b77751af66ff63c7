package intent

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestFaultsUnder(t *testing.T) {
	spec := field.NewPath("spec")
	rows := map[string]struct {
		fault *field.Path
		want  bool
	}{
		"the field itself":                 {spec.Child("list"), true},
		"an entry":                         {spec.Child("list").Index(0), true},
		"a field of an entry":              {spec.Child("list").Index(0).Child("cidr"), true},
		"a child":                          {spec.Child("list", "mode"), true},
		"a field whose name begins so":     {spec.Child("listPort"), false},
		"another field":                    {spec.Child("mode"), false},
		"what the field itself is part of": {spec, false},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			f := faults{field.Invalid(row.fault, "", "")}
			if got := f.under(spec.Child("list")); got != row.want {
				t.Errorf("a fault of %s is under spec.list: %v, want %v", row.fault, got, row.want)
			}
		})
	}
}
