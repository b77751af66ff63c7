// Package agent holds the manifest of the agent's DaemonSet, as the manager applies it.
package agent

import _ "embed"

//go:embed daemonset.yaml
var daemonSet []byte

// DaemonSet returns the manifest, in YAML.
func DaemonSet() []byte { return daemonSet }
