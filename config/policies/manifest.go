// Package policies holds the manifests of the ValidatingAdmissionPolicies, as the manager applies them.
package policies

import (
	_ "embed"
	"strings"
)

//go:embed agents.yaml
var agents string

//go:embed external-ips.yaml
var externalIPs string

// Manifests returns a policy with its binding for each, as YAML documents, for a Herald that is in the namespace.
func Manifests(namespace string) []string {
	return []string{
		strings.NewReplacer("$(NAMESPACE)", namespace).Replace(agents),
		strings.NewReplacer("$(POLICY)", "Enforce", "$(NAME)", "deny", "$(ACTION)", "Deny").Replace(externalIPs),
		strings.NewReplacer("$(POLICY)", "Warn", "$(NAME)", "warn", "$(ACTION)", "Warn").Replace(externalIPs),
	}
}
