package tour

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-network/herald/test/lab/table"
)

// routed checks `ip route` on a router: each prefix of want goes to exactly its next hops, and the prefixes of gone
// are not there.
func routed(want routes, gone ...netip.Prefix) check {
	return func(result Result) (string, error) {
		have := parseRoutes(result.Output)
		var verdicts []string
		var errs []error
		for _, prefix := range sortedPrefixes(want) {
			if !slices.Equal(have[prefix], want[prefix]) {
				errs = append(errs, fmt.Errorf("%s should go to %s, and goes to %s", prefix, list(want[prefix]), list(have[prefix])))
			}
			verdicts = append(verdicts, fmt.Sprintf("%s goes to %s", prefix, list(want[prefix])))
		}
		for _, prefix := range gone {
			if _, there := have[prefix]; there {
				errs = append(errs, fmt.Errorf("%s should have been withdrawn, and goes to %s", prefix, list(have[prefix])))
			}
			verdicts = append(verdicts, fmt.Sprintf("%s goes nowhere", prefix))
		}
		return strings.Join(verdicts, "\n"), errors.Join(errs...)
	}
}

// fresh says, where the check fails, what the tour needs.
func fresh(check check) check {
	return func(result Result) (string, error) {
		verdict, err := check(result)
		if err != nil {
			err = fmt.Errorf("the tour begins on a lab that has just come up: %w", err)
		}
		return verdict, err
	}
}

// succeeded checks that the command ended well and printed each of the words.
func succeeded(verdict string, words ...string) check {
	return func(result Result) (string, error) {
		if result.Status != 0 {
			return "", fmt.Errorf("should succeed, and ended with exit status %d", result.Status)
		}
		for _, word := range words {
			if !strings.Contains(result.Output, word) {
				return "", fmt.Errorf("should print %q", word)
			}
		}
		return verdict, nil
	}
}

// unreachable checks that a request got no answer.
func unreachable(verdict string) check {
	return func(result Result) (string, error) {
		if result.Status == 0 {
			return "", errors.New("should fail, and got an answer")
		}
		return verdict, nil
	}
}

// rows checks a table of kubectl's row by row; read returns an error for a row that is not as it should be.
func rows(firstHeading string, read func(row map[string]string) error, whole func() (string, error)) check {
	return func(result Result) (string, error) {
		for _, row := range table.Parse(result.Output, firstHeading) {
			if err := read(row); err != nil {
				return "", err
			}
		}
		return whole()
	}
}

func sortedPrefixes(table routes) []netip.Prefix {
	var prefixes []netip.Prefix
	for prefix := range table {
		prefixes = append(prefixes, prefix)
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return prefixes
}

// list writes addresses as one says them.
func list(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "nowhere"
	}
	words := make([]string, len(addrs))
	for i, addr := range addrs {
		words[i] = addr.String()
	}
	return strings.Join(words, ", ")
}
