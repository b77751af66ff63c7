// Command validate runs the operator framework's validators on a bundle. An error fails, and so does a warning without a
// reason in the list of those that are to stay, and a reason whose warning is gone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	validationerrors "github.com/operator-framework/api/pkg/validation/errors"
	validator "github.com/operator-framework/api/pkg/validation/interfaces"
	"sigs.k8s.io/yaml"
)

func main() {
	explained := flag.String("explained", "", "a file with the warnings that are to stay, each with its reason")
	flag.Parse()
	if err := run(flag.Arg(0), *explained, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "validate:", err)
		os.Exit(1)
	}
}

// named is a validator with the name that operator-sdk knows it by.
type named struct {
	name string
	validator.Validator
}

// validators are all of the operator framework's that are about what a bundle holds. The one for multiple architectures is
// about images, which it pulls.
func validators() []named {
	return []named{
		{"default", validation.DefaultBundleValidators},
		{"operatorhubv2", validation.OperatorHubV2Validator},
		{"standardcategories", validation.StandardCategoriesValidator},
		{"standardcapabilities", validation.StandardCapabilitiesValidator},
		{"good-practices", validation.GoodPracticesValidator},
		{"community", validation.CommunityOperatorValidator},
		{"alpha-deprecated-apis", validation.AlphaDeprecatedAPIsValidator},
		{"object", validation.ObjectValidator},
	}
}

// values are what some validators have to know beside the bundle.
func values() map[string]string {
	return map[string]string{
		"k8s-version": "1.37",
		"index-path":  "bundle.Dockerfile",
	}
}

// explanation is why a warning stays.
type explanation struct {
	Validator string `json:"validator"`
	// Warning is a part of its text: that may name what moves, such as the index of a rule.
	Warning string `json:"warning"`
	Because string `json:"because"`
}

func run(directory, explained string, out io.Writer) error {
	bundle, err := manifests.GetBundleFromDir(directory)
	if err != nil {
		return fmt.Errorf("load the bundle in %s: %w", directory, err)
	}
	reasons, err := readReasons(explained)
	if err != nil {
		return err
	}
	var errs []error
	for _, each := range validators() {
		failures, warnings := validate(each, bundle)
		fmt.Fprintf(out, "%-22s %d errors, %d warnings\n", each.name, len(failures), len(warnings))
		errs = append(errs, failures...)
		errs = append(errs, explain(each.name, warnings, reasons)...)
	}
	for reason := range reasons {
		errs = append(errs, fmt.Errorf("%s no longer warns %q: take it out of %s", reason.Validator, reason.Warning, explained))
	}
	return errors.Join(errs...)
}

// readReasons returns the warnings that are to stay.
func readReasons(file string) (map[explanation]bool, error) {
	reasons := map[explanation]bool{}
	if file == "" {
		return reasons, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []explanation
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, reason := range list {
		if reason.Because == "" {
			return nil, fmt.Errorf("read %s: %q has no reason: say in because why it stays", file, reason.Warning)
		}
		reasons[reason] = true
	}
	return reasons, nil
}

// validate returns what a validator says of a bundle, each thing once.
func validate(v named, bundle *manifests.Bundle) (failures []error, warnings []string) {
	seen := map[string]bool{}
	for _, result := range v.Validate(append(bundle.ObjectsToValidate(), values())...) {
		for _, problem := range append(result.Errors, result.Warnings...) {
			text := problem.Error()
			if seen[text] {
				continue
			}
			seen[text] = true
			if problem.Level == validationerrors.LevelWarn {
				warnings = append(warnings, strings.TrimPrefix(text, string(problem.Level)+": "))
			} else {
				failures = append(failures, fmt.Errorf("%s: %s", v.name, text))
			}
		}
	}
	return failures, warnings
}

// explain takes the reasons of the warnings that have one, and returns the other warnings.
func explain(name string, warnings []string, reasons map[explanation]bool) []error {
	var errs []error
	for _, warning := range warnings {
		found := false
		for reason := range reasons {
			if reason.Validator == name && strings.Contains(warning, reason.Warning) {
				delete(reasons, reason)
				found = true
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("%s warns without a reason for its staying: %s", name, warning))
		}
	}
	return errs
}
