package tour

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/herald-network/herald/test/lab/table"
)

// pool is the ExternalIPPool that Herald assigns from, assignedIP its lowest address, which is nginx's then.
const (
	pool       = "public"
	assignedIP = "192.168.3.1"
)

func assignedByHerald(f *facts) step {
	return step{
		title: "Let Herald assign the address",
		text: `
Nobody has to keep a list of who has which address. An ExternalIPPool says which there are, and a Service asks
for one by an annotation (one of type LoadBalancer needs none). The address that was given by hand is taken back
first.`,
		actions: slices.Concat([]action{{
			command: kubectl("patch", "service", "nginx", "-p", `{"spec":{"externalIPs":null}}`),
			check:   succeeded("the Service is changed", "patched"),
		}, {
			command: withInput(`apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata:
  name: `+pool+`
spec:
  addresses:
  - `+externalBlock+`
  avoid:
  - 192.168.3.0
  - 192.168.3.255
`, "apply", "-f", "-"),
			check: succeeded("the pool is accepted", "created"),
		}, {
			command: kubectl("annotate", "service", "nginx", "herald.network/assign-external-ip=true"),
			check:   succeeded("the Service is changed", "annotated"),
		}, {
			command:  kubectl("get", "services"),
			check:    row("nginx", "nginx has the lowest address of the pool, "+assignedIP, map[string]string{"EXTERNAL-IP": assignedIP}),
			patience: patience,
		}, {
			command: kubectl("get", "externalippools"),
			check: row(pool, "the pool has given one address, and has 253 more", map[string]string{
				"ADDRESSES": externalBlock, "ASSIGNED": "1", "AVAILABLE": "253", "ALLOWLISTED": "True",
			}),
			patience: patience,
		}}, f.onRouters(routed(
			routes{block(externalBlock): f.nextHops(), block(assignedIP + "/32"): f.nextHops(f.serving...)}, block(externalIP+"/32"),
		)), f.request(assignedIP, "assigned-ip", f.seesTheClient)),
	}
}

// row checks what a table of kubectl's says of one object, by column.
func row(name, verdict string, want map[string]string) check {
	return func(result Result) (string, error) {
		for _, row := range table.Parse(result.Output, "NAME") {
			if row["NAME"] != name {
				continue
			}
			var errs []error
			for _, column := range slices.Sorted(maps.Keys(want)) {
				errs = append(errs, says(row, column, want[column]))
			}
			return verdict, errors.Join(errs...)
		}
		return "", fmt.Errorf("there should be a row for %s", name)
	}
}
