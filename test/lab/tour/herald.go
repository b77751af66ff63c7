package tour

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/herald-network/herald/test/lab/table"
)

// state is what Herald's objects are to say.
type state struct {
	// ready and reason are those of every node.
	ready, reason string
	// routes is how many IPv4 routes every node advertises, more how many beyond that those which run nginx do.
	routes, more int
}

// heraldSays shows all that Herald reports, and checks that each peer has a session with every node, that the
// configuration, where the nodes know of one, is accepted and reported by every node, and that the nodes are in the state.
func (f *facts) heraldSays(verdict string, want state) action {
	return action{
		command:  kubectl("get", "bgppeers,bgpconfigurations,bgpnodes", "-o", "wide"),
		patience: patience,
		check: func(result Result) (string, error) {
			tables := map[string][]map[string]string{}
			for section := range strings.SplitSeq(result.Output, "\n\n") {
				for _, row := range table.Parse(section, "NAME") {
					kind, name, _ := strings.Cut(row["NAME"], ".herald.network/")
					row["NAME"] = name
					tables[kind] = append(tables[kind], row)
				}
			}
			return verdict, errors.Join(f.peersSay(tables["bgppeer"]), f.configurationSays(tables["bgpconfiguration"], want), f.nodesSay(tables["bgpnode"], want))
		},
	}
}

func (f *facts) peersSay(rows []map[string]string) error {
	if len(rows) != len(f.routers) {
		return fmt.Errorf("there should be %d BGPPeers, and there are %d", len(f.routers), len(rows))
	}
	all := fmt.Sprintf("%[1]d/%[1]d", len(f.nodes))
	var errs []error
	for _, row := range rows {
		errs = append(errs, says(row, "SESSIONS", all), says(row, "ESTABLISHED", "True"))
	}
	return errors.Join(errs...)
}

func (f *facts) configurationSays(rows []map[string]string, want state) error {
	if want.reason == "NoConfiguration" {
		return nil
	}
	if len(rows) != 1 {
		return fmt.Errorf("there should be one BGPConfiguration, and there are %d", len(rows))
	}
	return errors.Join(
		says(rows[0], "NODES", strconv.Itoa(len(f.nodes))),
		says(rows[0], "IPV4 ROUTES", strconv.Itoa(want.routes+want.more)),
		says(rows[0], "ACCEPTED", "True"),
	)
}

func (f *facts) nodesSay(rows []map[string]string, want state) error {
	if len(rows) != len(f.nodes) {
		return fmt.Errorf("there should be %d BGPNodes, and there are %d", len(f.nodes), len(rows))
	}
	var errs []error
	for _, row := range rows {
		routes := want.routes
		if slices.Contains(f.serving, row["NAME"]) {
			routes += want.more
		}
		errs = append(errs, says(row, "READY", want.ready), says(row, "REASON", want.reason), says(row, "IPV4 ROUTES", strconv.Itoa(routes)))
	}
	return errors.Join(errs...)
}

// says checks what a row of kubectl's has in a column.
func says(row map[string]string, column, want string) error {
	if row[column] != want {
		return fmt.Errorf("%s should say %s in column %s, and says %q", row["NAME"], want, column, row[column])
	}
	return nil
}
